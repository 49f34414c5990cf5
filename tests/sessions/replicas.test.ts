// Replicas of one portal, on one PostgreSQL and one cluster: whoever leads has the starts, and nobody else touches them.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { connect } from '../../src/db/client.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { objectName, podName, secretName } from '../../src/runtime/names.ts'
import { startPortal } from '../../src/server.ts'
import { ScriptedApi } from '../runtime/scripted-api.ts'
import { CLAIMS, control, NAMESPACE, PODS, running, SECRETS, SETS } from '../runtime/scripted-controller.ts'
import { scriptedRuntime } from '../runtime/scripted-runtime.ts'
import { type Person, TestApp } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'

setDefaultTimeout(60_000)
const LONG_MS = 300_000

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

/** A cluster in which pods find no node, and a database. */
async function place(): Promise<{ api: ScriptedApi; databaseUrl: string; sql: ReturnType<typeof connect> }> {
  const api = new ScriptedApi()
  control(api, { runs: false })
  const databaseUrl = await testDatabase()
  const sql = connect(databaseUrl, { max: 1, onnotice() {} })
  ending.push(
    () => api[Symbol.dispose](),
    () => sql.end(),
  )
  return { api, databaseUrl, sql }
}

async function replica(name: string, { api, databaseUrl }: { api: ScriptedApi; databaseUrl: string }, readyMs = LONG_MS): Promise<TestApp> {
  const dataDir = mkdtempSync(join(tmpdir(), `sac-test-${name}-`))
  const config = readConfig({
    API_GATEWAY_PORT: '0',
    INTERNAL_PORT: '0',
    DATA_DIR: dataDir,
    RUNTIME: 'local',
    JWT_SECRET: 'the same for all replicas of a portal',
    SECRET_KEYS: '0'.repeat(64),
  })
  const runtime = scriptedRuntime(api)
  const portal = await startPortal(config, { logger: silentLogger, databaseUrl, runtime, startLimits: { readyMs, answerMs: LONG_MS } })
  ending.push(async () => {
    await portal.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return new TestApp(portal, dataDir, databaseUrl, async () => {})
}

const generationOf = (api: ScriptedApi, name: string) => Number((api.get(SETS, name)?.metadata.annotations as Record<string, string> | undefined)?.['sac.dev/generation'] ?? 0)
const templateOf = (api: ScriptedApi, name: string) =>
  (api.get(SETS, name)?.spec as { volumeClaimTemplates?: { metadata: { name: string } }[] } | undefined)?.volumeClaimTemplates?.[0]?.metadata.name
const replicasOf = (api: ScriptedApi, name: string) => (api.get(SETS, name)?.spec as { replicas: number } | undefined)?.replicas

async function agentOf(person: Person): Promise<{ agentId: number; key: { userId: number; agentId: number }; name: string }> {
  const agentId = await person.createAgent()
  const userId = (await person.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
  return { agentId, key: { userId, agentId }, name: objectName({ userId, agentId }) }
}

test('a replica that leads no more gives its starts up: it neither ends the newer sandbox nor fails the session, however late it is', async () => {
  const at = await place()
  const READY_MS = 4000
  const first = await replica('first', at, READY_MS)
  const mira = await first.as('mira')
  const { agentId, name, key } = await agentOf(mira)
  const { session_id: id } = (await mira.ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: agentId })).body
  await until(() => replicasOf(at.api, name) === 1, { what: 'the first start' })
  const second = await replica('second', at)
  // Somebody else waits for the lock, and has it the moment in which the first one's connection ends.
  const elsewhere = connect(at.databaseUrl, { max: 1, onnotice() {} })
  ending.push(() => elsewhere.end())
  const taken = elsewhere`select pg_advisory_lock(0, hashtext('sac-leader'))`.execute()
  const locks = (granted: boolean) => at.sql<
    { pid: number }[]
  >`select pid from pg_locks where locktype = 'advisory' and objid = hashtext('sac-leader')::oid and granted = ${granted}
      and database = (select oid from pg_database where datname = current_database())`
  await until(async () => (await locks(false)).length === 1, { what: 'the one who waits' })
  const lostAt = performance.now()
  await at.sql`select pg_terminate_backend(${(await locks(true))[0]?.pid ?? 0})`
  await taken
  // What the one who leads now does.
  const { agents, runtime, sessions } = second.portal.context
  const row = await until(() => sessions.ofAgent(agentId), { what: 'the session' })
  const { agent, sandboxToken } = await agents.nextGeneration(await agents.owned({ id: key.userId }, agentId), '', { start: row })
  const resources = { cpuLimit: 1, memoryLimitBytes: 1024 ** 3, pidsLimit: 64 }
  const spec = { ...key, birth: agent.birth, generation: agent.generation, environment: {}, resources, claudeMd: '', sandboxToken, internalUrl: '', theme: 'dark' as const }
  const abort = new AbortController()
  const starting = runtime.start(spec, () => {}, abort.signal).catch(() => {})
  await until(() => generationOf(at.api, name) === 2 && replicasOf(at.api, name) === 1, { what: 'the newer start' })
  // Beyond the time that the first one would have given its start.
  await until(() => performance.now() - lostAt > READY_MS + 2000, { timeoutMs: 20_000, what: 'the end of the first one’s time' })
  expect((await mira.ask<{ status: string }>('GET', `/api/sessions/${id}`)).body.status).toBe('creating')
  expect([generationOf(at.api, name), replicasOf(at.api, name)]).toEqual([2, 1])
  abort.abort()
  await starting
  // Whoever leads next carries on with what the row wants.
  await elsewhere`select pg_advisory_unlock_all()`
  await until(() => generationOf(at.api, name) > 2 && replicasOf(at.api, name) === 1, { timeoutMs: 20_000, what: 'a start by whoever leads' })
})

test('what belongs to an older start or generation does not change the row of a newer one', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId } = await agentOf(mira)
  const { agents, sessions } = app.portal.context
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  const row = () => sessions.ofAgent(agentId)
  const started = await until(async () => ((await agents.present(agentId))?.generation ? row() : undefined), { what: 'the start' })
  const { generation = 0 } = (await agents.present(agentId)) ?? {}
  const mark = { id: started.id, startedAt: started.startedAt }
  expect(await sessions.change({ ...mark, generation: generation - 1 }, ['creating'], { reason: 'older' })).toBe(false)
  expect(await sessions.change({ ...mark, startedAt: new Date(started.startedAt.getTime() - 1) }, ['creating'], { reason: 'other' })).toBe(false)
  expect((await row())?.reason).toBeNull()
  expect(await sessions.change({ ...mark, generation }, ['creating'], { reason: 'now' })).toBe(true)
  const agent = await agents.owned({ id: started.userId }, agentId)
  await mira.ask('POST', `/api/agents/${agentId}/restart`)
  await expect(agents.nextGeneration(agent, '', { start: mark })).rejects.toMatchObject({ code: 'superseded' })
})

test('a restored database that knows less than the cluster starts above what is there', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId, name } = await agentOf(mira)
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  for (let starts = 1; starts < 4; starts++) {
    await until(() => generationOf(at.api, name) === starts && replicasOf(at.api, name) === 1, { timeoutMs: 15_000, what: `start ${starts}` })
    await mira.ask('POST', `/api/agents/${agentId}/restart`)
  }
  await until(() => generationOf(at.api, name) === 4 && replicasOf(at.api, name) === 1, { timeoutMs: 15_000, what: 'the last start' })
  await at.sql`update agents set generation = 1 where id = ${agentId}`
  await mira.ask('POST', `/api/agents/${agentId}/restart`)
  await until(() => generationOf(at.api, name) === 5 && replicasOf(at.api, name) === 1, { timeoutMs: 15_000, what: 'a start above that' })
  expect((await app.portal.context.agents.present(agentId))?.generation).toBe(5)
})

test('a sandbox whose agent no row knows is removed with everything but its files', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId, name, key } = await agentOf(mira)
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  await until(() => replicasOf(at.api, name) === 1, { what: 'the start' })
  await mira.ask('POST', `/api/agents/${agentId}/stop`)
  await until(() => replicasOf(at.api, name) === 0, { what: 'the stop' })
  await at.sql`delete from agents where id = ${agentId}`
  await until(() => at.api.names(SETS).length === 0, { timeoutMs: 15_000, what: 'the end of its StatefulSet' })
  expect([at.api.names(SECRETS), at.api.names(`/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims`)]).toEqual([
    [],
    [expect.stringMatching(new RegExp(`^data-[0-9a-f]{8}-${podName(key)}$`))],
  ])
})

test('an agent that gets the numbers of one that a restored database forgot starts with a volume of its own', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId, name } = await agentOf(mira)
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  const [forgotten] = await until(() => (at.api.names(CLAIMS).length === 1 ? at.api.names(CLAIMS) : undefined), { what: 'the first volume' })
  // What is left of the first is not gone yet when the second starts.
  await at.sql`delete from agents where id = ${agentId}`
  await at.sql`select setval('agents_id_seq', ${agentId}, false)`
  const again = await agentOf(mira)
  expect(again.name).toBe(name)
  await mira.ask('POST', '/api/sessions', { agent_id: again.agentId })
  await until(() => replicasOf(at.api, name) === 1 && templateOf(at.api, name) !== forgotten?.slice(0, 'data-00000000'.length), { timeoutMs: 15_000, what: 'the second start' })
  expect(at.api.names(CLAIMS)).toHaveLength(2)
  expect(at.api.names(CLAIMS)).toContain(forgotten ?? '')
})

test('a volume that was let go stays when the rows know its agent again; one whose agent is gone goes when its time is over', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId, name } = await agentOf(mira)
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  await until(() => replicasOf(at.api, name) === 1, { what: 'the start' })
  await mira.ask('POST', `/api/agents/${agentId}/stop`)
  await until(() => replicasOf(at.api, name) === 0, { what: 'the stop' })
  const [volume = ''] = at.api.names(CLAIMS)
  const release = (of: string) => {
    const claim = at.api.get(CLAIMS, of)
    const labels = { ...(claim?.metadata.labels as Record<string, string>), 'sac.dev/released': 'true' }
    at.api.put(CLAIMS, { ...claim, metadata: { ...claim?.metadata, name: of, labels, annotations: { 'sac.dev/remove-after': new Date(0).toISOString() } } })
  }
  release(volume)
  const other = volume.replace(/^data-[0-9a-f]{8}/, 'data-00000000')
  at.api.put(CLAIMS, { metadata: { name: other, uid: 'of-another-birth', labels: at.api.get(CLAIMS, volume)?.metadata.labels } })
  release(other)
  const isReleased = () => 'sac.dev/released' in ((at.api.get(CLAIMS, volume)?.metadata.labels ?? {}) as object)
  await app.portal.stop()
  await replica('next', at)
  await until(() => at.api.names(CLAIMS).length === 1 && !isReleased(), { timeoutMs: 15_000, what: 'the sweep of the next server' })
  expect(at.api.names(CLAIMS)).toEqual([volume])
})

test('a start whose node is lost begins a new generation, and the token that may live on there is refused', async () => {
  const at = await place()
  const app = await replica('only', at)
  const mira = await app.as('mira')
  const { agentId, name, key } = await agentOf(mira)
  await mira.ask('POST', '/api/sessions', { agent_id: agentId })
  const pod = await until(() => at.api.get(PODS, podName(key)), { what: 'the pod' })
  const token = atob(
    (at.api.get(SECRETS, secretName({ ...key, generation: 1 }, String(at.api.get(SETS, name)?.metadata.uid)))?.data as Record<string, string> | undefined)?.token ?? '',
  )
  const answers = async () => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return (await fetch(`${app.portal.internalUrl}/api/internal/output/room`, { method: 'POST', headers, body: JSON.stringify({ path: 'x', size: 1 }) })).status
  }
  expect(await answers()).toBe(200)
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }
  const { status } = { status: running() }
  at.api.put(PODS, {
    metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 15 },
    status: { ...status, conditions: [...status.conditions, condition] },
  })
  await until(() => generationOf(at.api, name) === 2 && replicasOf(at.api, name) === 1, { timeoutMs: 15_000, what: 'the next generation' })
  await until(async () => (await answers()) === 401, { timeoutMs: 5000, what: 'the end of the old token' })
})
