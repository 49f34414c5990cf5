import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { Idleness } from '../../src/sessions/idleness.ts'
import type { SessionRow } from '../../src/sessions/schema.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { waysHere } from '../support/machine.ts'

setDefaultTimeout(60_000)
const { ways, missing } = await waysHere()
const skip = ways.length === 0
const named = (name: string) => (missing ? `${name} (${missing})` : name)

let app: TestApp
let mira: Person
let agentId: number
let idleMs = 3_600_000
beforeAll(async () => {
  app = await startTestApp({ idleAfterMs: async () => idleMs })
  mira = await app.as('mira')
  agentId = await mira.createAgent()
  if (!skip) await mira.startAgent(agentId)
})
afterAll(() => app[Symbol.asyncDispose]())

const listed = async () => (await mira.ask<{ statuses: { agent_id: number; status: string }[] }>('GET', '/api/agent-statuses')).body.statuses[0]?.status
const row = async () => (await app.portal.context.sessions.ofAgent(agentId)) as SessionRow
const becomes = (status: string) => until(async () => (await row()).status === status, { timeoutMs: 30_000, what: `the session ${status}` })
/** As if the last sign of life had been that long ago. */
const aged = async (minutes: number): Promise<SessionRow> => ({
  ...(await row()),
  lastActive: new Date(Date.now() - minutes * 60_000),
  updatedAt: new Date(Date.now() - minutes * 60_000),
})

test.skipIf(skip)(named('an agent at which nothing happens becomes idle, in the list and on the bus; an event of its hooks or a key wakes it'), async () => {
  const { sessions, bus } = app.portal.context
  const heard: string[] = []
  const off = bus.subscribe((event) => event.kind === 'session.changed' && void sessions.ofAgent(agentId).then((session) => session && heard.push(session.status)))
  expect(await listed()).toBe('running')
  idleMs = 1000
  await becomes('idle')
  expect(await listed()).toBe('idle')
  await until(() => heard.includes('idle'), { what: 'news of it' })
  idleMs = 3_600_000
  await sessions.noteActivity(agentId, 'working', 'reads a file')
  expect((await row()).status).toBe('running')
  expect(await listed()).toBe('working')

  await sessions.change(await row(), ['running'], { status: 'idle', activity: null })
  heard.length = 0
  await sessions.noteInput(agentId)
  expect((await row()).status).toBe('running')
  await until(() => heard.includes('running'), { what: 'news of it' })
  off()
})

test.skipIf(skip)(named('what a terminal wrote counts: it keeps an agent from idling and wakes an idle one'), async () => {
  const { settings, sessions, runtime } = app.portal.context
  await settings.set('idle_after_seconds', 600, undefined)
  const idleness = new Idleness({ sessions, settings, runtime })
  await idleness.look(await aged(20), { activeAt: new Date(Date.now() - 60_000) })
  expect((await row()).status).toBe('running')
  await app.portal.context.database.db.execute(`update sessions set last_active = now() - interval '20 minutes' where agent_id = ${agentId}`)
  await idleness.look(await row(), { activeAt: new Date(Date.now() - 19 * 60_000) })
  expect((await row()).status).toBe('idle')
  await idleness.look(await row(), { activeAt: new Date(Date.now() - 60_000) })
  expect((await row()).status).toBe('idle')
  await idleness.look(await aged(5), { activeAt: new Date() })
  expect((await row()).status).toBe('running')
  // The local runtime sees when a terminal moved without reading along.
  const state = await runtime.state({ userId: (await row()).userId, agentId })
  expect(Math.abs(Date.now() - (state.activeAt?.getTime() ?? 0))).toBeLessThan(60_000)
})

test.skipIf(skip)(named('an agent that waits for an answer is shown as that, however long it waits; a mark never overtakes a sign of life'), async () => {
  const { sessions } = app.portal.context
  await sessions.noteActivity(agentId, 'needs-you', 'May I?')
  await sessions.change(await row(), ['running'], { status: 'idle' })
  expect(await listed()).toBe('needs-you')
  await sessions.noteInput(agentId)
  await sessions.markIdle(await row(), new Date(Date.now() - 60_000))
  expect((await row()).status).toBe('running')
})

test.skipIf(skip)(named('where idle sandboxes sleep, silence puts one to sleep, work in progress does not; a socket wakes nobody, a wish does'), async () => {
  const { sessions } = app.portal.context
  const idleness = new Idleness({ sessions, settings: { idleAfterMs: async () => 60_000 }, runtime: { sleepsWhenIdle: true } })
  const quiet = (minutes: number) =>
    app.portal.context.database.db.execute(`update sessions set last_active = date_trunc('milliseconds', now() - interval '${minutes} minutes') where agent_id = ${agentId}`)
  // The portal's own loop may mark it as idle meanwhile; asleep it is by our word only.
  await sessions.noteActivity(agentId, 'working', 'builds')
  await quiet(5)
  await idleness.look(await row(), {})
  expect((await row()).status).not.toBe('asleep')
  await sessions.noteActivity(agentId, 'waiting', null)
  await quiet(0.5)
  await idleness.look(await row(), {})
  expect((await row()).status).not.toBe('asleep')
  const seen = { ...(await row()), lastActive: new Date(Date.now() - 3_600_000) }
  await sessions.noteOutput([agentId])
  await idleness.look(seen, {})
  expect((await row()).status).not.toBe('asleep')
  await quiet(2)
  await idleness.look(await row(), {})
  expect((await row()).status).toBe('asleep')
  expect(await listed()).toBe('idle')
  await sessions.noteInput(agentId)
  await sessions.noteActivity(agentId, 'working', null)
  expect((await mira.ask('GET', `/ws/${(await row()).id}`)).status).toBe(404)
  expect((await row()).status).toBe('asleep')
  await mira.startAgent(agentId)
  expect((await row()).status).toBe('running')
})

test('only admins set after how long an agent is idle, and not so short that somebody who types would be; a shorter one of before does not count', async () => {
  expect((await mira.ask('PUT', '/api/admin/settings/idle_after_seconds', { value: 60 })).status).toBe(403)
  const admin = await app.admin()
  expect((await admin.ask('PUT', '/api/admin/settings/idle_after_seconds', { value: 59 })).status).toBe(422)
  expect((await admin.ask('PUT', '/api/admin/settings/idle_after_seconds', { value: 60 })).status).toBe(200)
  const { settings, database } = app.portal.context
  expect(await settings.idleAfterMs()).toBe(60_000)
  await database.db.execute(`update system_settings set value = '5' where key = 'idle_after_seconds'`)
  expect(await settings.idleAfterMs()).toBe(1_800_000)
})
