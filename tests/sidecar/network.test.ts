// Whether the sandbox's network is closed: what the sidecar finds out, and what the portal makes of it.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type KnockPace, watchNetwork } from '../../sidecar/knock.ts'
import type { Agent } from '../../src/agents/agents.ts'
import type { Exposure } from '../../src/internal/contract.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { PASSWORD, type Person, startTestApp, type TestApp } from '../support/app.ts'
import { Mirror } from './mirror.ts'

setDefaultTimeout(60_000)

const PACE: KnockPace = { tries: 3, pauseMs: 5, connectMs: 500, repeatMs: 20, againMs: 10 }

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const taken: boolean[] = []
const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {}, open: () => void taken.push(true) } })
afterAll(() => listener.stop(true))
const OPEN = `127.0.0.1:${listener.port}`
const CLOSED = '127.0.0.1:1'

/** Watches until the test has seen enough; what comes after that does nothing any more. */
function watching(address: string, { serverAnswers = async () => true, takes = () => true }: { serverAnswers?: () => Promise<boolean>; takes?: () => boolean } = {}) {
  const told: Exposure[] = []
  let rounds = 0
  void watchNetwork({
    address,
    serverAnswers: () => {
      rounds++
      return serverAnswers()
    },
    report: async (network) => {
      told.push(network)
      return takes()
    },
    log: silentLogger,
    pace: PACE,
  })
  return { told, rounds: () => rounds }
}

test('an address that answers each time is an open network, one that never does a closed one; both are told again and again', async () => {
  const [open, closed] = [watching(OPEN), watching(CLOSED)]
  await until(() => open.told.length > 2 && closed.told.length > 2, { what: 'reports' })
  expect(new Set(open.told)).toEqual(new Set(['open']))
  expect(new Set(closed.told)).toEqual(new Set(['closed']))
})

test('while the server itself cannot be reached silence proves nothing', async () => {
  let isUp = false
  const { told, rounds } = watching(CLOSED, { serverAnswers: async () => isUp })
  await until(() => rounds() > 10, { what: 'rounds without a network' })
  expect(told).toEqual([])
  isUp = true
  await until(() => told.length > 0, { what: 'a report' })
  expect(told[0]).toBe('closed')
})

test('a name that leads nowhere proves nothing, either', async () => {
  const { told, rounds } = watching('no-such-host.invalid:80')
  await until(() => rounds() > 3, { timeoutMs: 30_000, what: 'rounds' })
  expect(told).toEqual([])
})

test('tries that disagree are no verdict: a network that closes only after its start counts as closed', async () => {
  const opening = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = opening
  let asked = 0
  const { told } = watching(`127.0.0.1:${port}`, {
    serverAnswers: async () => {
      // In the middle of the first round.
      if (++asked === 3) opening.stop(true)
      return true
    },
  })
  await until(() => told.length > 0, { what: 'a report' })
  expect(told[0]).toBe('closed')
})

test('what the server could not be told is found out and told again', async () => {
  let refusals = 3
  const { told } = watching(CLOSED, { takes: () => refusals-- <= 0 })
  await until(() => told.length > 4, { what: 'reports' })
})

test('the sidecar itself reports', async () => {
  await using mirror = new Mirror()
  await mirror.start({ SAC_CLOSED_ADDRESS: OPEN })
  await until(() => mirror.receiver.asked.some(({ kind }) => kind === 'exposure'), { timeoutMs: 30_000, what: 'the report' })
})

async function agentOf(username: string, agentId: number): Promise<Agent> {
  const { agents, users } = app.portal.context
  return agents.owned(await users.checkPassword(username, PASSWORD, 'test'), agentId)
}

test('the agent’s page warns whenever the report comes, until the network is closed or the agent is started anew', async () => {
  const mira = await app.as('mira')
  const agentId = await mira.createAgent()
  const { networks, sessions } = app.portal.context
  const warning = async (id: string) => (await mira.ask<{ warning: string | null }>('GET', `/api/sessions/${id}`)).body.warning
  // While it starts already.
  const { body } = await mira.ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: agentId })
  const generation = await until(async () => (await agentOf('mira', agentId)).generation, { what: 'the start' })
  await networks.note(await agentOf('mira', agentId), 'open')
  await mira.startAgent(agentId)
  expect(await warning(body.session_id)).toContain('networks apart')
  const page = await mira.ask<string>('GET', `/agents/${agentId}`, undefined, { accept: 'text/html' })
  expect(page.body).toContain('<b>Nothing keeps the agents’ networks apart.</b>')

  await networks.note(await agentOf('mira', agentId), 'closed')
  expect(await warning(body.session_id)).toBeNull()
  await networks.note(await agentOf('mira', agentId), 'open')
  expect(await warning(body.session_id)).toContain('networks apart')
  await mira.ask('POST', `/api/agents/${agentId}/restart`)
  await mira.startAgent(agentId)
  expect((await warning(body.session_id)) ?? '').not.toContain('networks apart')
  // What an older sandbox says late does not count any more.
  await networks.note(await agentOf('mira', agentId), 'closed')
  await networks.note({ ...(await agentOf('mira', agentId)), generation }, 'open')
  expect((await warning(body.session_id)) ?? '').not.toContain('networks apart')
  await sessions.warn(agentId, 'Something else.')
  await networks.note(await agentOf('mira', agentId), 'closed')
  expect(await warning(body.session_id)).toBe('Something else.')
})

test('every page of an admin says that networks are open, and no page of anybody else; it stops when they are closed', async () => {
  const nora = await app.as('nora')
  const agentId = await nora.createAgent()
  const admin = await app.admin()
  const { networks } = app.portal.context
  const html = async (person: Person, path: string) => (await person.ask<string>('GET', path, undefined, { accept: 'text/html' })).body
  const reports = async () => (await admin.ask<{ reports: { agent_id: number; network: string }[] }>('GET', '/api/admin/networks')).body.reports
  await networks.note(await agentOf('nora', agentId), 'open')
  for (const path of ['/account', '/admin/agents', '/agents/new']) expect(await html(admin, path)).toContain('class="portal-notice"')
  expect(await html(nora, '/account')).not.toContain('portal-notice')
  expect(await reports()).toContainEqual(expect.objectContaining({ agent_id: agentId, network: 'open' }))
  expect((await nora.ask('GET', '/api/admin/networks')).status).toBe(403)
  await networks.note(await agentOf('nora', agentId), 'closed')
  await networks.refresh()
  expect(await html(admin, '/account')).not.toContain('portal-notice')
  // A report that was not repeated for long says nothing about today.
  await networks.note(await agentOf('nora', agentId), 'open')
  await app.portal.context.database.db.execute(`update network_reports set reported_at = now() - interval '31 minutes'`)
  await networks.refresh()
  expect(await html(admin, '/account')).not.toContain('portal-notice')
  expect(await reports()).toEqual([])
})
