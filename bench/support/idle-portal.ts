// The portal's own listeners, accounts and database for thousands of terminals: a sandbox is a dtach socket `FOLDER/AGENT`
// here, because that many isolated ones do not fit. `FOLDER COUNT`; prints one JSON line, and figures at `/` of `stats`.
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { agents, sessions, users } from '../../src/db/schema.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { Runtime, SandboxState } from '../../src/runtime/runtime.ts'
import { startPortal } from '../../src/server.ts'
import { Lease } from '../../src/sessions/lease.ts'
import { EMPTY_CONFIG } from '../../tests/support/empty-config.ts'

const PER_USER = 20

/** What the first line of output says. */
export interface IdlePortal {
  url: string
  stats: string
  terminals: { agentId: number; sessionId: string; token: string }[]
}

/** What `stats` answers. */
export interface IdleStats {
  rssBytes: number
  cpuMs: number
  viewers: number
  upstreams: number
}

if (import.meta.main) await serve(process.argv[2] ?? '.', Number(process.argv[3]))

async function serve(folder: string, count: number): Promise<void> {
  const states: SandboxState[] = []
  const config = readConfig({ API_GATEWAY_PORT: '0', INTERNAL_PORT: '0', DATA_DIR: join(folder, 'data'), RUNTIME: 'local' })
  const database = await startEmbedded({ dataDir: config.dataDir, logger: silentLogger })
  // Another replica leads: the reconcile loop over all sessions is not what is measured here.
  const leader = new Lease(database.url, silentLogger)
  if (!(await leader.isLeader())) throw new Error('another replica should lead')
  const portal = await startPortal(config, { logger: silentLogger, databaseUrl: database.url, runtime: socketsOf(folder, states) })
  const terminals = await people(portal.context, count)
  for (const { agentId, userId } of terminals) states.push({ agentId, userId, generation: 0, phase: 'ready' })
  const stats = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch() {
      const { user, system } = process.cpuUsage()
      return Response.json({ rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, ...portal.context.hub.counts } satisfies IdleStats & { terminals: number })
    },
  })
  process.on('SIGTERM', async () => {
    await portal.stop()
    await leader[Symbol.asyncDispose]()
    await database.stop()
    process.exit(0)
  })
  process.stdout.write(`${JSON.stringify({ url: portal.url, stats: stats.url.href, terminals } satisfies IdlePortal)}\n`)
}

/** People with agents that run, as rows: twenty terminals each, which is the limit of one person. */
async function people({ database: { db }, logins }: Awaited<ReturnType<typeof startPortal>>['context'], count: number) {
  const made: { agentId: number; userId: number; sessionId: string; token: string }[] = []
  for (let at = 0; made.length < count; at++) {
    const [user] = await db
      .insert(users)
      .values({ username: `idle${at}`, email: `idle${at}@example.com`, displayName: 'Idle', passwordHash: '-' })
      .returning()
    if (!user) throw new Error('no user')
    const { token } = await logins.open(user, { userAgent: 'bench', address: '127.0.0.1' })
    const number = Math.min(PER_USER, count - made.length)
    const rows = await db
      .insert(agents)
      .values(Array.from({ length: number }, () => ({ createdBy: user.id, name: 'Idle', config: EMPTY_CONFIG })))
      .returning()
    const open = await db
      .insert(sessions)
      .values(rows.map(({ id }) => ({ id: crypto.randomUUID(), userId: user.id, agentId: id, status: 'running' as const })))
      .returning()
    made.push(...open.map(({ id, agentId }) => ({ agentId, userId: user.id, sessionId: id, token })))
  }
  return made
}

function socketsOf(folder: string, states: SandboxState[]): Runtime {
  return {
    kind: 'local',
    sleepsWhenIdle: false,
    hasImages: false,
    probe: async () => ({ ok: true }),
    async start() {},
    async stop() {},
    async remove() {},
    list: async () => states,
    state: async (key) => states.find(({ agentId }) => agentId === key.agentId) ?? { ...key, generation: 0, phase: 'absent' },
    usage: async () => undefined,
    metrics: () => ({ kind: 'here' }),
    inspect: () => ({ restarts: 0, events: [] }),
    terminal: async ({ agentId }) => ({ kind: 'dtach', socketPath: join(folder, String(agentId)) }),
    watch: () => () => {},
    async [Symbol.asyncDispose]() {},
  }
}
