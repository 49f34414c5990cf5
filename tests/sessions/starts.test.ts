// What admins are told about starts after the fact: why each waited, failed or ended, and nothing secret.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Agent } from '../../src/agents/agents.ts'
import { secretContext } from '../../src/agents/environment.ts'
import { SecretBox } from '../../src/lib/crypto.ts'
import { AppError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { StartRecord } from '../../src/sessions/start-record.ts'
import { Starts } from '../../src/sessions/starts.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

setDefaultTimeout(60_000)
const KEY = 'the-key-of-the-model'
const PLAIN = 'a value that is not sealed'
let app: TestApp
let mira: Person
let starts: Starts
beforeAll(async () => {
  app = await startTestApp()
  mira = await app.as('mira')
  await app.portal.context.settings.set('max_agents_per_user', 100, undefined)
  const { database, agents } = app.portal.context
  starts = new Starts({ db: database.db, hidden: (agent) => agents.hiddenValues(agent) })
})
afterAll(() => app[Symbol.asyncDispose]())

async function agentWithSecrets(): Promise<Agent> {
  const config = { anthropic_auth_token: KEY, custom_envs: [{ key: 'PLAIN', value: PLAIN }] }
  const { id } = (await mira.ask<{ id: number }>('POST', '/api/agents', { name: 'Kept', config })).body
  const agent = await app.portal.context.agents.present(id)
  if (!agent) throw new Error('no agent')
  return agent
}

/** The record of a start of an agent whose sandbox is nobody's business here. */
async function recorded(agent: Agent) {
  const { sessions } = app.portal.context
  const session = { id: crypto.randomUUID(), agentId: agent.id, startedAt: new Date(), reason: null }
  return new StartRecord({ sessions, starts, logger: silentLogger }, agent, { ...(await blankSession()), ...session })
}

async function blankSession() {
  const { sessions } = app.portal.context
  const { session } = await sessions.open(await agentWithSecrets())
  await sessions.change(session, ['creating'], { status: 'stopped' })
  return session
}

test('a start that waits says why while it waits, and still does when it has failed', async () => {
  const agent = await agentWithSecrets()
  const record = await recorded(agent)
  record.note({ step: 'scheduling' })
  record.begins(7, 'token-of-the-sandbox')
  record.note({ step: 'scheduling', detail: 'No room.', evidence: `0/3 nodes: Insufficient cpu for ${KEY} and token-of-the-sandbox and ${PLAIN}` })
  const waiting = await until(async () => (await starts.list(agent)).find(({ evidence }) => evidence !== null), { what: 'the evidence' })
  expect(waiting).toMatchObject({ outcome: 'starting', generation: 7, reason: 'No room.', evidence: '0/3 nodes: Insufficient cpu for [hidden] and [hidden] and [hidden]' })
  await record.finish()
  await record.failed('The agent was not ready after five minutes.', new DOMException('timed out', 'TimeoutError'))
  const [failed] = await starts.list(agent)
  expect(failed).toMatchObject({ outcome: 'failed', reason: 'The agent was not ready after five minutes.', evidence: waiting.evidence })
  expect(failed?.steps.map(({ step }) => step)).toEqual(['scheduling'])
  expect(JSON.stringify(failed)).not.toMatch(/the-key-of-the-model|token-of-the-sandbox|not sealed/)
})

test('a start that is refused keeps what the cluster said, not only what its owner was told', async () => {
  const agent = await agentWithSecrets()
  const record = await recorded(agent)
  const cause = new Error(`admission webhook "guard" denied the request: env ANTHROPIC_AUTH_TOKEN=${KEY}`)
  await record.failed('The cluster refused the sandbox.', new AppError('unavailable', 'cluster_refused', 'The cluster refused the sandbox.', { cause }))
  expect((await starts.list(agent))[0]).toMatchObject({
    reason: 'The cluster refused the sandbox.',
    evidence: 'admission webhook "guard" denied the request: env ANTHROPIC_AUTH_TOKEN=[hidden]',
  })
})

test('what the system says is kept and shown when a secret cannot be opened any more, without those that can', async () => {
  const agent = await agentWithSecrets()
  const ciphertext = new SecretBox(['ab'.repeat(32)]).seal(KEY, secretContext(agent.id, 'anthropic_auth_token'))
  const locked = { ...agent, secrets: { ...agent.secrets, anthropic_auth_token: { last4: '', setAt: '', ciphertext } } }
  expect(starts.cleaned(locked, `a sandbox with ${PLAIN} failed`)).toBe('a sandbox with [hidden] failed')
  const record = await recorded(locked)
  await record.failed('It failed.', new Error(`refused: ${PLAIN}`))
  expect((await starts.list(locked))[0]).toMatchObject({ outcome: 'failed', reason: 'It failed.', evidence: 'refused: [hidden]' })
})

test('twenty starts of an agent are kept, the newest; those of another agent stay', async () => {
  const [one, other] = [await agentWithSecrets(), await agentWithSecrets()]
  await starts.begin({ agentId: other.id, startedAt: new Date() }, null)
  const begun = Array.from({ length: 23 }, (_, at) => new Date(Date.UTC(2026, 0, 1, 0, at)))
  for (const startedAt of begun) await starts.begin({ agentId: one.id, startedAt }, null)
  // A server that takes a start over begins it once more.
  await starts.begin({ agentId: one.id, startedAt: begun[22] ?? new Date() }, null)
  expect((await starts.list(one)).map(({ startedAt }) => startedAt)).toEqual(begun.slice(3).reverse())
  expect(await starts.list(other)).toHaveLength(1)
})

test('a real start is on record with its generation and its steps; a sandbox that fell over says so, and the next start why it began', async () => {
  const id = await mira.createAgent('Real')
  await mira.startAgent(id)
  const list = () => starts.list({ id })
  expect((await list())[0]).toMatchObject({ outcome: 'ready', generation: 1, cause: null, reason: null })
  const { runtime, agents } = app.portal.context
  const agent = (await agents.present(id)) as Agent
  // Ended behind the portal's back.
  await runtime.stop({ userId: agent.createdBy, agentId: id, generation: 1 })
  await until(async () => (await list()).length === 2 && (await list())[0]?.outcome === 'ready', { timeoutMs: 30_000, what: 'the next start' })
  const [next, first] = await list()
  expect(first).toMatchObject({ outcome: 'ended' })
  expect(first?.reason).toBeString()
  expect(next).toMatchObject({ cause: first?.reason ?? '', generation: 2 })
})
