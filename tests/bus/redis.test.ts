import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppEvent } from '../../src/bus/bus.ts'
import { RedisBus } from '../../src/bus/redis.ts'
import { readConfig } from '../../src/config.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { createLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { type Portal, startPortal } from '../../src/server.ts'
import { testDatabase } from '../support/database.ts'
import { EventListener } from '../support/event-listener.ts'
import { hasRedis, TestRedis } from '../support/redis.ts'

setDefaultTimeout(60_000)

const dataDir = mkdtempSync(join(tmpdir(), 'sac-test-'))
const redis = new TestRedis()
const lines: string[] = []
const logger = createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) })
const JWT_SECRET = 'not-a-secret-0123456789-abcdefghijkl'
const portals: Portal[] = []
let databaseUrl = ''

async function startOne(redisUrl = redis.url): Promise<Portal> {
  const config = readConfig({ API_GATEWAY_PORT: '0', INTERNAL_PORT: '0', DATA_DIR: dataDir, CLAUDE_BIN: '/bin/bash', RUNTIME: 'local', REDIS_URL: redisUrl, JWT_SECRET })
  const portal = await startPortal(config, { logger, databaseUrl })
  portals.push(portal)
  return portal
}

describe.skipIf(!hasRedis)('two portals with one Redis', () => {
  let here: Portal
  let there: Portal
  let token = ''
  let userId = 0
  let agentId = 0
  let sandboxToken = ''
  const heardHere: AppEvent[] = []

  beforeAll(async () => {
    databaseUrl = await testDatabase()
    // Redis is down at the start.
    here = await startOne()
    there = await startOne()
    here.context.bus.subscribe((event) => heardHere.push(event))
    const { users, logins, agents, settings } = here.context
    await settings.set('registration_mode', 'open', undefined)
    const user = await users.register({ username: 'alice', email: 'alice@example.com', displayName: 'Alice', password: 'a phrase for testing' })
    userId = user.id
    token = (await logins.open(user, { userAgent: 'test', address: '127.0.0.1' })).token
    const agent = await agents.create(user, { name: 'Agent' })
    agentId = agent.id
    sandboxToken = (await agents.nextGeneration(agent)).sandboxToken
  })
  afterAll(async () => {
    for (const portal of portals) await portal.stop()
    await redis[Symbol.asyncDispose]()
    rmSync(dataDir, { recursive: true, force: true })
  })

  async function upload(path: string, portal: Portal): Promise<number> {
    const answer = await fetch(`${portal.internalUrl}/api/internal/output/upload?path=${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sandboxToken}`, 'x-content-sha256': sha256Hex(path) },
      body: path,
    })
    expect(answer.status).toBe(201)
    return ((await answer.json()) as { seq: number }).seq
  }
  const watch = (portal: Portal, lastId?: string) => new EventListener(() => `${portal.url}/api/workspace/output/watch?agent_id=${agentId}`, token, { lastId })
  const outputHints = () => heardHere.filter((event) => event.kind === 'output.changed')

  test('without Redis both start and serve, and a change on one reaches listeners of both', async () => {
    const listeners = [watch(here, '0'), watch(there, '0')]
    await until(() => listeners.every(({ opened }) => opened === 1), { what: 'open streams' })
    await upload('while-down', there)
    await until(() => listeners.every(({ changes }) => changes.length === 1), { timeoutMs: 15_000, what: 'the change on both' })
    expect(outputHints()).toEqual([])
    expect(lines.filter((line) => line.includes('Redis cannot be reached'))).toHaveLength(2)
    for (const listener of listeners) await listener.end()
  })

  test('once Redis is there, hints cross at once', async () => {
    await redis.start()
    let seq = 0
    await until(
      async () => {
        seq = await upload(`crossing-${seq}`, there)
        return outputHints().length > 0
      },
      { timeoutMs: 20_000, intervalMs: 200, what: 'a hint of the other portal' },
    )
    expect(outputHints()[0]).toEqual({ kind: 'output.changed', userId, agentId, seq: expect.any(Number) })
  })

  test('a sign-out on one ends the streams on the other', async () => {
    const { users, logins } = there.context
    const user = await users.checkPassword('alice', 'a phrase for testing', 'test')
    const other = await logins.open(user, { userAgent: 'test', address: '127.0.0.1' })
    const listener = new EventListener(() => `${here.url}/api/workspace/output/watch?agent_id=${agentId}`, other.token)
    await until(() => listener.opened === 1, { what: 'an open stream' })
    await logins.end(user, other.loginId)
    await until(() => heardHere.some((event) => event.kind === 'logins.ended' && event.loginIds.includes(other.loginId)), { what: 'the hint' })
    await until(() => listener.status === 401, { what: 'a refused return' })
    await listener.end()
  })

  test('Redis killed in the middle of three hundred changes and started again: every listener hears each once, in order', async () => {
    const start = await here.context.outputs.lastSeq(agentId)
    const listeners = [watch(here, String(start)), watch(there, String(start))]
    await until(() => listeners.every(({ opened }) => opened === 1), { what: 'open streams' })
    for (let file = 0; file < 300; file++) {
      if (file === 60) await redis.kill()
      if (file === 200) await redis.start()
      await upload(`outage/${file}`, file % 2 === 0 ? here : there)
    }
    await until(() => listeners.every(({ changes }) => changes.length >= 300), { timeoutMs: 20_000, what: 'all changes on both' })
    const expected = Array.from({ length: 300 }, (_, at) => start + 1 + at)
    for (const listener of listeners) {
      expect(listener.changes.map(({ seq }) => seq)).toEqual(expected)
      await listener.end()
    }
  })

  test('what is no fact is dropped and counted, and harms nobody', async () => {
    const { bus } = here.context
    if (!(bus instanceof RedisBus)) throw new Error('no Redis bus')
    const fact = (event: unknown) => JSON.stringify({ origin: 'x', event })
    const bad = [
      ...['', '{', 'null', '[]', '7', '"x"', '{}', fact(null), fact({ kind: 'output.changed' }), fact({ kind: 'output.changed', userId: 1, agentId: '1', seq: 1 })],
      ...[fact({ kind: 'logins.ended', userId: 1 }), fact({ kind: 'logins.ended', userId: 1, loginIds: [7] }), fact({ kind: '__proto__', userId: 1 })],
      ...[fact({ kind: 'output.changed', userId: 1e300, agentId: 1, seq: 1 }), fact({ kind: 'agent.changed', userId: 1, agentId: 1, pad: 'x'.repeat(10 * 1024 ** 2) })],
    ]
    await until(() => bus.isConnected, { timeoutMs: 20_000, what: 'Redis again' })
    const [before, heard] = [bus.dropped, heardHere.length]
    const listener = watch(here)
    await until(() => listener.opened === 1, { what: 'an open stream' })
    for (const message of bad) await redis.publish(`sac:output:1:${agentId}`, message)
    await until(() => bus.dropped === before + bad.length, { what: 'all of them dropped' })
    expect(heardHere.length).toBe(heard)
    // A fact about somebody who is not there, and a forged one: nothing is read but rows.
    await redis.publish('sac:output:999:999', fact({ kind: 'output.changed', userId: 999, agentId: 999, seq: 1 }))
    await redis.publish(`sac:output:1:${agentId}`, fact({ kind: 'output.changed', userId, agentId, seq: 10 ** 9, path: 'forged' }))
    await until(() => heardHere.length === heard + 2, { what: 'both facts' })
    const seq = await upload('after-the-noise', here)
    await until(() => listener.changes.length > 0, { what: 'the real change' })
    expect(listener.changes).toEqual([expect.objectContaining({ path: 'after-the-noise', seq })])
    await listener.end()
  })

  test('neither a right nor a wrong password of Redis is ever logged', async () => {
    const wrong = `wrong-${Bun.randomUUIDv7('base64url')}`
    const before = lines.length
    const portal = await startOne(`redis://:${wrong}@127.0.0.1:${redis.port}`)
    await until(() => lines.slice(before).some((line) => line.includes('Redis cannot be reached')), { what: 'a word about it' })
    expect((await fetch(`${portal.url}/ready`)).status).toBe(200)
    expect(lines.filter((line) => line.includes(redis.password) || line.includes(wrong))).toEqual([])
    expect(lines.length).toBeGreaterThan(0)
  })
})
