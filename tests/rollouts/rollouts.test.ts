import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { until } from '../../src/lib/until.ts'
import type { Person, TestApp } from '../support/app.ts'
import { TerminalClient } from '../support/terminal-client.ts'
import { startImageApp } from './image-app.ts'
import { type ImageRuntime, MISSING, NEW, OLD } from './image-runtime.ts'

setDefaultTimeout(90_000)

interface RolloutJson {
  id: number
  status: string
  reason: string | null
  wave: number
  total: number
  queued: number
  updating: number
  done: number
  failed: number
  skipped: number
  agents: { agent_id: number | null; state: string; wave: number | null; reason: string | null }[]
}
type Refusal = { error: { code: string; fields?: Record<string, string> } }

let app: TestApp
let runtime: ImageRuntime
let alice: Person
let admin: Person
let aliceId: number
beforeAll(async () => {
  const started = await startImageApp()
  app = started.app
  runtime = started.runtime
  const { settings } = app.portal.context
  await settings.set('max_agents_per_user', 100, undefined)
  alice = await app.as('alice')
  admin = await app.admin()
  aliceId = (await alice.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
})
afterAll(() => app[Symbol.asyncDispose]())

const row = async (id: number) => {
  const agent = await app.portal.context.agents.present(id)
  if (!agent) throw new Error(`no agent ${id}`)
  return agent
}
const status = async (agentId: number) => (await app.portal.context.sessions.ofAgent(agentId))?.status
const begin = async (body: object) => (await admin.ask<RolloutJson & Refusal>('POST', '/api/admin/rollouts', body)).body
const read = async (id: number) => (await admin.ask<RolloutJson>('GET', `/api/admin/rollouts/${id}`)).body
const over = (id: number, what = 'done') =>
  until(
    async () => {
      const rollout = await read(id)
      return rollout.status === what && rollout.updating === 0 ? rollout : undefined
    },
    { timeoutMs: 60_000, what: `rollout ${id} ${what}` },
  )

/** Agents that run for `alice`. */
async function running(count: number): Promise<number[]> {
  const ids: number[] = []
  for (let at = 0; at < count; at++) ids.push(await alice.createAgent(`A${at}`))
  await Promise.all(ids.map((id) => alice.startAgent(id)))
  return ids
}

async function ended(ids: number[]): Promise<void> {
  for (const id of ids) await alice.ask('DELETE', `/api/agents/${id}`)
  await until(async () => (await Promise.all(ids.map((id) => app.portal.context.agents.present(id)))).every((agent) => !agent), { what: 'their end' })
}

test('waves follow each other: the next one begins when the last one runs', async () => {
  const ids = await running(3)
  const { id } = await begin({ image: NEW, agent_ids: ids, wave_size: 1, quiet_seconds: 0 })
  let mostAtOnce = 0
  const rollout = await until(
    async () => {
      const now = await read(id)
      mostAtOnce = Math.max(mostAtOnce, now.updating)
      const live = (await Promise.all(ids.map(status))).filter((word) => word === 'creating').length
      expect(live).toBeLessThanOrEqual(1)
      return now.status === 'done' ? now : undefined
    },
    { timeoutMs: 60_000, what: 'the end' },
  )
  expect(rollout).toMatchObject({ done: 3, failed: 0, wave: 3 })
  expect(mostAtOnce).toBe(1)
  expect(rollout.agents.map((agent) => agent.wave).sort()).toEqual([1, 2, 3])
  for (const agentId of ids) {
    expect(await status(agentId)).toBe('running')
    expect(await row(agentId)).toMatchObject({ image: NEW, startedImage: NEW })
  }
  await ended(ids)
})

test('an image that does not come up: the agent goes back to its old one, its terminal waits and goes on, and no further wave begins', async () => {
  const ids = await running(3)
  const [first = 0] = ids
  const session = await app.portal.context.sessions.ofAgent(first)
  const terminal = new TerminalClient(`${app.portal.url}/ws/${session?.id}`, { authorization: `Bearer ${alice.token}` })
  await terminal.shows('$')
  const seen = new Set<string | undefined>()
  const off = app.portal.context.bus.subscribe((event) => {
    if (event.kind === 'session.changed' && event.agentId === first) void status(first).then((word) => seen.add(word))
  })
  const { id } = await begin({ image: MISSING, agent_ids: ids, wave_size: 1, max_failures: 1, quiet_seconds: 0 })
  const rollout = await over(id, 'stopped')
  off()
  expect(rollout).toMatchObject({ failed: 1, skipped: 2, done: 0 })
  expect(rollout.reason).toContain('One agent failed')
  expect(rollout.agents[0]?.reason).toBe(
    'The new image did not come up: The agent’s image was not found. Ask an admin to correct its name or to push it. It runs its old image again.',
  )
  expect(seen.has('failed')).toBe(false)
  expect(await row(first)).toMatchObject({ image: null, startedImage: OLD })
  for (const agentId of ids) expect(await status(agentId)).toBe('running')
  terminal.text = ''
  terminal.type('echo back-$((20+3))\r')
  await terminal.shows('back-23', 20_000)
  expect(terminal.closed).toBeUndefined()
  terminal.socket.close()
  // The others were never touched.
  expect(runtime.started.filter(({ agentId }) => agentId === ids[1])).toEqual([{ agentId: ids[1] ?? 0, image: OLD }])
  await ended(ids)
})

test('an agent that came from the settings keeps its image when the settings name another one meanwhile', async () => {
  const [id = 0] = await running(1)
  const { settings } = app.portal.context
  await settings.set('docker_image', NEW, undefined)
  const rollout = await begin({ image: MISSING, agent_ids: [id], quiet_seconds: 0 })
  await over(rollout.id)
  expect(await row(id)).toMatchObject({ image: OLD, startedImage: OLD })
  await settings.set('docker_image', OLD, undefined)
  await ended([id])
})

test('agents that sleep, were stopped or never ran get the image for their next start, and nothing is started', async () => {
  const [asleep = 0] = await running(1)
  const never = await alice.createAgent('Never')
  const session = await app.portal.context.sessions.ofAgent(asleep)
  if (!session) throw new Error('no session')
  await app.portal.context.sessions.change(session, ['running'], { status: 'asleep' })
  const before = runtime.started.length
  const { id } = await begin({ image: NEW, agent_ids: [asleep, never] })
  const rollout = await over(id)
  expect(rollout).toMatchObject({ done: 2, wave: 0 })
  expect([await row(asleep), await row(never)].map(({ image }) => image)).toEqual([NEW, NEW])
  expect(runtime.started.length).toBe(before)
  await alice.startAgent(never)
  expect(await row(never)).toMatchObject({ startedImage: NEW })
  await ended([asleep, never])
})

test('busy agents wait until they are quiet, or until their time is over', async () => {
  const ids = await running(2)
  const [working = 0, typing = 0] = ids
  const { sessions } = app.portal.context
  await sessions.noteActivity(working, 'working', 'Edits')
  const { id } = await begin({ image: NEW, agent_ids: ids, quiet_seconds: 3 })
  await until(async () => (await row(typing)).startedImage === NEW, { timeoutMs: 30_000, what: 'the one that is quiet' })
  expect(await read(id)).toMatchObject({ queued: 1, status: 'running' })
  expect(await row(working)).toMatchObject({ image: null, startedImage: OLD })
  await sessions.noteActivity(working, 'waiting', null)
  await over(id)
  expect(await row(working)).toMatchObject({ startedImage: NEW })
  await sessions.noteActivity(working, 'working', 'Edits again')
  const forced = await begin({ image: OLD, agent_ids: [working], quiet_seconds: 3600, wait_seconds: 1 })
  await over(forced.id)
  expect(await row(working)).toMatchObject({ startedImage: OLD })
  await ended(ids)
})

test('a canceled rollout begins nothing more; what restarts finishes', async () => {
  const ids = await running(2)
  for (const id of ids) await app.portal.context.sessions.noteActivity(id, 'working', 'Edits')
  const { id } = await begin({ image: NEW, agent_ids: ids, quiet_seconds: 0 })
  await until(async () => (await read(id)).queued === 2, { what: 'waiting agents' })
  const canceled = await admin.ask<RolloutJson>('POST', `/api/admin/rollouts/${id}/cancellation`)
  expect(canceled.body).toMatchObject({ status: 'canceled', skipped: 2 })
  expect((await admin.ask<RolloutJson>('POST', `/api/admin/rollouts/${id}/cancellation`)).body.status).toBe('canceled')
  for (const agentId of ids) expect(await row(agentId)).toMatchObject({ image: null, startedImage: OLD })
  await ended(ids)
})

test('an agent is in one rollout at a time, and one that is deleted is left out', async () => {
  const ids = await running(2)
  const [kept = 0, gone = 0] = ids
  for (const id of ids) await app.portal.context.sessions.noteActivity(id, 'working', 'Edits')
  const first = await begin({ image: NEW, agent_ids: ids, quiet_seconds: 0 })
  const second = await begin({ image: OLD, agent_ids: [kept] })
  expect(await over(second.id)).toMatchObject({ skipped: 1, agents: [{ reason: 'Another rollout changes it at the moment.' }] })
  await alice.ask('DELETE', `/api/agents/${gone}`)
  await app.portal.context.sessions.noteActivity(kept, 'waiting', null)
  expect(await over(first.id)).toMatchObject({ done: 1, skipped: 1 })
  await ended([kept])
})

test('the reference’s two ways: one agent at once, and all of them', async () => {
  const ids = await running(2)
  const [one = 0] = ids
  await app.portal.context.sessions.noteActivity(one, 'working', 'Edits')
  const answer = await admin.ask<{ rollout_id: number }>('PUT', `/api/admin/users/${aliceId}/agents/${one}/image`, { image: NEW })
  expect(answer.status).toBe(200)
  await over(answer.body.rollout_id)
  expect(await row(one)).toMatchObject({ startedImage: NEW })
  expect((await admin.ask('PUT', `/api/admin/users/${aliceId + 1}/agents/${one}/image`, { image: NEW })).status).toBe(404)
  const all = await admin.ask<{ rollout_id: number; total: number }>('POST', '/api/admin/agents/batch-update-image', { image: '' })
  expect(all).toMatchObject({ status: 202, body: { total: 2, failed: 0, errors: [] } })
  await app.portal.context.database.db.execute(sql`update sessions set activity = null, last_active = now() - interval '1 hour'`)
  await over(all.body.rollout_id)
  for (const id of ids) expect(await row(id)).toMatchObject({ image: null, startedImage: OLD })
  await ended(ids)
})

test('what is refused begins nothing', async () => {
  const id = await alice.createAgent('Refused')
  const wrong: [object, string][] = [
    [{ image: 'two words', agent_ids: [id] }, 'image'],
    [{ image: 'example.com/Agent:1', agent_ids: [id] }, 'image'],
    [{ image: NEW, agent_ids: [] }, 'agent_ids'],
    [{ image: NEW, agent_ids: [id, 987654321] }, 'agent_ids'],
    [{ image: NEW, filter: { name: 'nobody is called so' } }, 'agent_ids'],
    [{ image: NEW, agent_ids: [id], wave_size: 0 }, 'wave_size'],
    [{ image: NEW, agent_ids: [id], wave_size: 1.5 }, 'wave_size'],
    [{ image: NEW, agent_ids: [id], max_failures: -1 }, 'max_failures'],
    [{ image: NEW, agent_ids: [id], wait_seconds: 1e9 }, 'wait_seconds'],
  ]
  const before = (await admin.ask<{ rollouts: unknown[] }>('GET', '/api/admin/rollouts')).body.rollouts.length
  for (const [body, field] of wrong) {
    const answer = await admin.ask<Refusal>('POST', '/api/admin/rollouts', body)
    expect({ status: answer.status, fields: Object.keys(answer.body.error.fields ?? {}) }).toEqual({ status: 422, fields: [field] })
  }
  expect((await admin.ask<{ rollouts: unknown[] }>('GET', '/api/admin/rollouts')).body.rollouts.length).toBe(before)
  await ended([id])
})

test('owners choose among the images that admins list, and never leave one that an admin has chosen', async () => {
  const { settings } = app.portal.context
  const id = await alice.createAgent('Mine')
  const choose = (image: string | null) => alice.ask<Refusal>('PUT', `/api/agents/${id}`, { image })
  expect((await choose(NEW)).body.error.fields?.image).toContain('Only admins')
  await settings.set('allowed_images', [OLD, NEW], undefined)
  expect((await choose('example.com/other:1')).status).toBe(422)
  expect((await choose(NEW)).status).toBe(200)
  expect((await choose(null)).status).toBe(200)
  await app.portal.context.rollouts.create({ image: 'example.com/pinned:1', agents: { agentIds: [id] } }, { id: aliceId })
  await until(async () => (await row(id)).image === 'example.com/pinned:1', { what: 'the admin’s choice' })
  expect((await choose(NEW)).status).toBe(422)
  await settings.set('allowed_images', undefined, undefined)
  await ended([id])
})
