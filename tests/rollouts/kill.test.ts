import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { ServerProcess } from '../sessions/server-process.ts'
import { testDatabase } from '../support/database.ts'
import { waysHere } from '../support/machine.ts'
import { random } from '../support/random.ts'
import { MISSING, NEW, OLD } from './image-runtime.ts'

setDefaultTimeout(150_000)
const { ways, missing } = await waysHere()
const MAIN = join(import.meta.dir, 'portal.ts')
const AGENTS = 4

interface RolloutJson {
  id: number
  status: string
  updating: number
  done: number
  failed: number
  skipped: number
  agents: { agent_id: number; state: string; reason: string | null }[]
}
interface AgentJson {
  image: string | null
  started_image: string
}

describe.skipIf(ways.length === 0)(`rollouts when servers are killed${missing ? ` (${missing})` : ''}`, () => {
  const chance = random('rollouts when servers are killed')
  let one: ServerProcess
  let two: ServerProcess
  const ids: number[] = []
  beforeAll(async () => {
    const env = { DATABASE_URL: await testDatabase() }
    one = await ServerProcess.start({ env, main: MAIN })
    two = await ServerProcess.start({ env, dataDir: one.dataDir, main: MAIN })
    await one.ask('PUT', '/api/admin/settings/max_agents_per_user', { value: 50 })
    await one.ask('PUT', '/api/admin/settings/docker_image', { value: OLD })
    for (let at = 0; at < AGENTS; at++) ids.push(await one.createAgent(`A${at}`))
    for (const id of ids) await one.open(id)
    for (const id of ids) await one.becomes(id, 'running')
  })
  afterAll(async () => {
    await one.kill()
    await two[Symbol.asyncDispose]()
  })

  const agent = async (server: ServerProcess, id: number) => (await server.ask<AgentJson>('GET', `/api/agents/${id}`)).body
  const over = (server: ServerProcess, id: number) =>
    until(
      async () => {
        const { body } = await server.ask<RolloutJson>('GET', `/api/admin/rollouts/${id}`)
        return body.status !== 'running' && body.updating === 0 ? body : undefined
      },
      { timeoutMs: 90_000, intervalMs: 100, what: 'the end of the rollout' },
    )
  const begun = async (server: ServerProcess, image: string, more: object = {}) =>
    (await server.ask<RolloutJson>('POST', '/api/admin/rollouts', { image, agent_ids: ids, wave_size: 2, quiet_seconds: 0, ...more })).body.id

  test('killed at any moment, the rollout goes on where it was: every agent ends on the new image, none twice', async () => {
    for (let round = 0; round < 3; round++) {
      const image = `${NEW}.${round}`
      const id = await begun(two, image)
      await Bun.sleep(chance() * 2500)
      await one.kill()
      await one.up()
      const rollout = await over(two, id)
      expect(rollout).toMatchObject({ status: 'done', done: AGENTS, failed: 0, skipped: 0 })
      for (const agentId of ids) {
        expect(await agent(two, agentId)).toMatchObject({ image, started_image: image })
        await two.becomes(agentId, 'running', 30_000)
      }
    }
  })

  test('killed while agents go back, they still end on the image that they had', async () => {
    const before = await Promise.all(ids.map((id) => agent(two, id)))
    const id = await begun(two, MISSING, { max_failures: 10 })
    await Bun.sleep(chance() * 2500)
    // Both, so that whoever leads is gone.
    await Promise.all([one.kill(), two.kill()])
    await Promise.all([one.up(), two.up()])
    const rollout = await over(two, id)
    expect(rollout).toMatchObject({ status: 'done', failed: AGENTS })
    for (const [at, agentId] of ids.entries()) {
      await two.becomes(agentId, 'running', 30_000)
      const { image, started_image } = await agent(two, agentId)
      expect({ image, started_image }).toEqual({ image: before[at]?.image ?? null, started_image: before[at]?.started_image ?? '' })
    }
  })
})
