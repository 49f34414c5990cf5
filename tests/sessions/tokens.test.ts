// How long the token of a sandbox is good: while it should run, for a minute after, and not a moment once its agent is deleted.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '../../src/db/client.ts'
import { type ExposureNotice, INTERNAL_PATHS } from '../../src/internal/contract.ts'
import { until } from '../../src/lib/until.ts'
import { foldersOf, sandboxesRoot } from '../../src/runtime/local/layout.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

setDefaultTimeout(60_000)
let app: TestApp
let mira: Person
let userId: number
beforeAll(async () => {
  app = await startTestApp()
  mira = await app.as('mira')
  userId = (await mira.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
  await app.portal.context.settings.set('max_agents_per_user', 10, undefined)
})
afterAll(() => app[Symbol.asyncDispose]())

async function running(): Promise<{ agentId: number; sessionId: string; token: string }> {
  const agentId = await mira.createAgent()
  const sessionId = await mira.startAgent(agentId)
  return { agentId, sessionId, token: readFileSync(join(foldersOf(sandboxesRoot(app.dataDir), { userId, agentId }).root, 'hidden', 'token'), 'utf8').trim() }
}

async function told(token: string, path: string, body: ExposureNotice | { path: string; size: number }): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return (await fetch(app.portal.internalUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })).status
}

const answers = (token: string) => told(token, INTERNAL_PATHS.room, { path: 'x', size: 1 })

/** Lets a session have ended more than a minute ago. */
async function aMinuteLater(sessionId: string): Promise<void> {
  const sql = connect(app.databaseUrl, { max: 1 })
  await sql`update sessions set updated_at = updated_at - interval '61 seconds' where id = ${sessionId}`
  await sql.end()
}

test.each([
  ['was stopped', (_id: string, agentId: number) => mira.ask('POST', `/api/agents/${agentId}/stop`)],
  ['fell asleep', (id: string) => app.portal.context.sessions.sleep({ id }, new Date())],
  ['lost its session', (id: string) => mira.ask('DELETE', `/api/sessions/${id}`)],
])('an agent that %s sends its last files for a minute; then its token is refused', async (_how, end) => {
  const { agentId, sessionId, token } = await running()
  expect(await answers(token)).toBe(200)
  await end(sessionId, agentId)
  expect(await answers(token)).toBe(200)
  await aMinuteLater(sessionId)
  await until(async () => (await answers(token)) === 401, { timeoutMs: 5000, what: 'the end of the token' })
  // Nothing that is done with a session that has ended gives it another minute.
  await mira.ask('DELETE', `/api/sessions/${sessionId}`)
  expect(await answers(token)).toBe(401)
})

test('nothing that an ended sandbox or an admin still says makes its last minute longer', async () => {
  const { agentId, sessionId, token } = await running()
  const { agents, networks, sessions } = app.portal.context
  const agent = await agents.owned({ id: userId }, agentId)
  await networks.note(agent, 'open')
  await sessions.stop(agent, 'Stopped by you.')
  const endedAt = async () => (await sessions.ofAgent(agentId))?.updatedAt
  const ended = await endedAt()
  expect(await told(token, INTERNAL_PATHS.exposure, { network: 'closed' })).toBe(200)
  expect(await endedAt()).toEqual(ended)
  await mira.startAgent(agentId)
  await sessions.sleep({ id: sessionId }, new Date())
  const slept = await endedAt()
  await sessions.stop(agent, 'Stopped by an admin.')
  expect(await sessions.ofAgent(agentId)).toMatchObject({ status: 'stopped', updatedAt: slept })
})

test('the token of a deleted agent is refused with the very next request', async () => {
  const { agentId, token } = await running()
  expect(await answers(token)).toBe(200)
  expect((await mira.ask('DELETE', `/api/agents/${agentId}`)).status).toBe(204)
  expect(await answers(token)).toBe(401)
})

test('an agent that starts again has another token, and the one before is refused at once', async () => {
  const { agentId, token } = await running()
  await mira.ask('POST', `/api/agents/${agentId}/stop`)
  await mira.startAgent(agentId)
  await until(async () => (await answers(token)) === 401, { timeoutMs: 5000, what: 'the end of the token' })
})
