// A thousand agents in a cluster: what the server's view of them costs in memory, how long statuses take, and that no call is made for one.
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
import { limits, quantile } from './support/report.ts'
import { INSTALLATION, NAMESPACE } from './support/scripted-cluster.ts'

const AGENTS = 1000
// A list shows five hundred sessions at most.
const LISTED = 500
const ROUNDS = 60
const MIB = 1024 ** 2

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
  const token = await people()
  const ask = async () => {
    const began = performance.now()
    const answer = await fetch(`${portal.url}/api/agent-statuses`, { headers: { authorization: `Bearer ${token}` } })
    await answer.text()
    return performance.now() - began
  }
  for (let at = 0; at < ROUNDS; at++) await ask()
  const without = await rss()
  await fetch(`${control}fill?count=${AGENTS}`)
  await until(async () => (await runtime.list()).filter(({ phase }) => phase === 'ready').length === AGENTS, { timeoutMs: 30_000, what: 'all agents' })
  const before = await calls()
  const times: number[] = []
  for (let at = 0; at < ROUNDS; at++) times.push(await ask())
  const after = await calls()
  const lists: number[] = []
  for (let at = 0; at < ROUNDS; at++) {
    const began = performance.now()
    await runtime.list()
    lists.push(performance.now() - began)
  }
  limits([
    { what: `memory for ${AGENTS} agents`, value: ((await rss()) - without) / MIB, unit: 'MiB', atMost: 60 },
    { what: `statuses of ${LISTED} running agents, median`, value: quantile(times, 0.5), unit: 'ms', atMost: 50 },
    { what: `statuses of ${LISTED} running agents, p95`, value: quantile(times, 0.95), unit: 'ms', atMost: 50 },
    { what: `all ${AGENTS} states from the view, median`, value: quantile(lists, 0.5), unit: 'ms', atMost: 50 },
    { what: `calls of the API in ${ROUNDS} lists of statuses`, value: after - before, unit: 'calls', atMost: 12 },
  ])
} finally {
  await portal.stop()
  await leader[Symbol.asyncDispose]()
  await database.stop()
  child.kill()
  rmSync(folder, { recursive: true, force: true })
}

async function calls(): Promise<number> {
  const { lists, watches } = (await (await fetch(`${control}calls`)).json()) as { lists: number; watches: number }
  return lists + watches
}

async function rss(): Promise<number> {
  Bun.gc(true)
  await Bun.sleep(500)
  Bun.gc(true)
  return process.memoryUsage.rss()
}

/** One person whose agents all run, as rows. */
async function people(): Promise<string> {
  const { database, logins } = portal.context
  const { db } = database
  const [user] = await db.insert(users).values({ username: 'many', email: 'many@example.com', displayName: 'Many', passwordHash: '-' }).returning()
  if (!user) throw new Error('no user')
  const models = { anthropic_haiku_model: '', anthropic_sonnet_model: '', anthropic_opus_model: '' }
  const agentConfig = { provider: '', anthropic_base_url: '', ...models, http_proxy: '', https_proxy: '', custom_envs: [] }
  const rows = await db
    .insert(agents)
    .values(Array.from({ length: LISTED }, () => ({ createdBy: user.id, name: 'Many', config: agentConfig, generation: 1 })))
    .returning()
  await db.insert(sessions).values(rows.map(({ id }) => ({ id: crypto.randomUUID(), userId: user.id, agentId: id, status: 'running' as const })))
  return (await logins.open(user, { userAgent: 'bench', address: '127.0.0.1' })).token
}
