// A thousand agents in a cluster: what the server's view of them costs in memory, how long statuses and the pages that show
// them take, and that no call is made for one.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../src/config.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { agents, sessions, users } from '../src/db/schema.ts'
import { silentLogger } from '../src/lib/logger.ts'
import { until } from '../src/lib/until.ts'
import { KubernetesRuntime } from '../src/runtime/kubernetes/adapter.ts'
import { startPortal } from '../src/server.ts'
import { Lease } from '../src/sessions/lease.ts'
import { EMPTY_CONFIG } from '../tests/support/empty-config.ts'
import { limits, quantile } from './support/report.ts'
import { INSTALLATION, NAMESPACE } from './support/scripted-cluster.ts'

const AGENTS = 1000
// A list shows five hundred sessions at most.
const LISTED = 500
const ROUNDS = 60
const MIB = 1024 ** 2
// What the runtime allows itself: a reading of all metrics each ten seconds, in pages of a hundred.
const METRICS_EVERY_MS = 10_000
const PAGE = 100
/** What is asked for; the person is an admin with as many agents as a list shows. */
const PATHS = {
  [`statuses of ${LISTED} running agents`]: '/api/agent-statuses',
  [`page of one agent beside ${LISTED}`]: '/agents/1',
  [`admins’ first page of ${AGENTS}`]: '/admin/agents',
  [`admins’ search in ${AGENTS}`]: '/admin/agents?q=many%20999&sort=name',
}

const folder = mkdtempSync(join(tmpdir(), 'sac-bench-cluster-'))
const child = Bun.spawn([process.execPath, join(import.meta.dir, 'support', 'scripted-cluster.ts')], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
const first = await child.stdout.getReader().read()
const { api, control } = JSON.parse(new TextDecoder().decode(first.value)) as { api: string; control: string }
const config = readConfig({ API_GATEWAY_PORT: '0', INTERNAL_PORT: '0', DATA_DIR: join(folder, 'data'), RUNTIME: 'local' })
const database = await startEmbedded({ dataDir: config.dataDir, logger: silentLogger, durable: false })
// Another replica leads: the reconcile loop is not what is measured here.
const leader = new Lease(database.url, silentLogger)
await leader.isLeader()
const runtime = new KubernetesRuntime({
  access: { server: api, credentials: async () => ({ tls: {}, headers: {} }) },
  settings: {
    installation: INSTALLATION,
    namespace: NAMESPACE,
    agentImage: 'a:1',
    sidecarImage: 's:1',
    pullPolicy: 'IfNotPresent',
    pullSecrets: [],
    volume: { kind: 'pvc', size: '10Gi' },
    egress: 'model',
  },
  terminals: 'direct',
  clusterDomain: 'cluster.local',
  volumeGraceMs: 0,
  secretKeys: ['0'.repeat(64)],
  logger: silentLogger,
})
const portal = await startPortal(config, { logger: silentLogger, databaseUrl: database.url, runtime })
try {
  const { token, userIds } = await people()
  const ask = async (path: string) => {
    const began = performance.now()
    const answer = await fetch(`${portal.url}${path}`, { headers: { authorization: `Bearer ${token}`, accept: 'text/html, application/json' }, redirect: 'manual' })
    await answer.text()
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status}`)
    return performance.now() - began
  }
  for (const path of Object.values(PATHS)) for (let at = 0; at < ROUNDS; at++) await ask(path)
  const without = await rss()
  for (const [at, userId] of userIds.entries()) await fetch(`${control}fill?user=${userId}&from=${1 + at * LISTED}&count=${LISTED}`)
  await until(async () => (await runtime.list()).filter(({ phase }) => phase === 'ready').length === AGENTS, { timeoutMs: 30_000, what: 'all agents' })
  const key = { userId: userIds[0] ?? 0, agentId: 1 }
  await until(async () => (await runtime.usage(key)) !== undefined, { timeoutMs: 30_000, what: 'the metrics' })
  const before = await calls()
  const began = performance.now()
  const times: Record<string, number[]> = {}
  for (const [what, path] of Object.entries(PATHS)) {
    const own: number[] = []
    for (let at = 0; at < ROUNDS; at++) own.push(await ask(path))
    times[what] = own
  }
  const after = await calls()
  const readings = 1 + (performance.now() - began) / METRICS_EVERY_MS
  const lists: number[] = []
  for (let at = 0; at < ROUNDS; at++) {
    const began = performance.now()
    await runtime.list()
    lists.push(performance.now() - began)
  }
  limits([
    { what: `memory for ${AGENTS} agents`, value: ((await rss()) - without) / MIB, unit: 'MiB', atMost: 60 },
    ...Object.entries(times).flatMap(([what, own]) => [
      { what: `${what}, median`, value: quantile(own, 0.5), unit: 'ms', atMost: 50 },
      { what: `${what}, p95`, value: quantile(own, 0.95), unit: 'ms', atMost: 50 },
    ]),
    { what: `all ${AGENTS} states from the view, median`, value: quantile(lists, 0.5), unit: 'ms', atMost: 50 },
    // Metrics are asked for all at once, each ten seconds while somebody looks.
    { what: `calls for one agent in ${ROUNDS * Object.keys(times).length} answers`, value: after.single - before.single, unit: 'calls', atMost: 0 },
    { what: 'calls for all agents meanwhile (metrics)', value: after.all - before.all, unit: 'calls', atMost: Math.ceil(readings * (AGENTS / PAGE)) },
  ])
} finally {
  await portal.stop()
  await leader[Symbol.asyncDispose]()
  await database.stop()
  child.kill()
  rmSync(folder, { recursive: true, force: true })
}

async function calls(): Promise<{ all: number; single: number }> {
  const { lists, watches, single } = (await (await fetch(`${control}calls`)).json()) as { lists: number; watches: number; single: number }
  return { all: lists + watches, single }
}

async function rss(): Promise<number> {
  Bun.gc(true)
  await Bun.sleep(500)
  Bun.gc(true)
  return process.memoryUsage.rss()
}

/** An admin and somebody else whose agents all run, as rows. */
async function people(): Promise<{ token: string; userIds: number[] }> {
  const { database, logins } = portal.context
  const { db } = database
  const userIds: number[] = []
  const tokens: string[] = []
  for (const name of ['many', 'others']) {
    const [user] = await db
      .insert(users)
      .values({ username: name, email: `${name}@example.com`, displayName: name, role: 'admin', passwordHash: '-' })
      .returning()
    if (!user) throw new Error('no user')
    userIds.push(user.id)
    const rows = await db
      .insert(agents)
      .values(Array.from({ length: LISTED }, (_, at) => ({ createdBy: user.id, name: `${name} ${at}`, config: EMPTY_CONFIG, generation: 1 })))
      .returning()
    await db.insert(sessions).values(rows.map(({ id }) => ({ id: crypto.randomUUID(), userId: user.id, agentId: id, status: 'running' as const })))
    tokens.push((await logins.open(user, { userAgent: 'bench', address: '127.0.0.1' })).token)
  }
  return { token: tokens[0] ?? '', userIds }
}
