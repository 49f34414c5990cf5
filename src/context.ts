// The only place that constructs adapters and services, in the order of who needs whom. Owns their lifetimes.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Fleet } from './admin/fleet.ts'
import { type Agent, Agents } from './agents/agents.ts'
import { Lists } from './agents/lists.ts'
import type { Bus } from './bus/bus.ts'
import { MemoryBus } from './bus/memory.ts'
import { RedisBus } from './bus/redis.ts'
import { type ClusterConfig, type Config, ConfigError } from './config.ts'
import { type Database, type Db, openDatabase } from './db/client.ts'
import { startEmbedded } from './db/embedded.ts'
import { installationId } from './db/installation.ts'
import { migrateUp } from './db/migrate.ts'
import { waitForDatabase } from './db/wait.ts'
import { Assets } from './http/assets.ts'
import type { EdgeRules } from './http/auth.ts'
import { Frames } from './http/frame.ts'
import { EventStreams } from './http/sse.ts'
import { SandboxIdentities } from './internal/auth.ts'
import { SecretBox } from './lib/crypto.ts'
import { createLogger, type Logger } from './lib/logger.ts'
import { Tasks } from './lib/tasks.ts'
import { DormantAgents } from './rollouts/dormant.ts'
import { Rollouts } from './rollouts/rollouts.ts'
import { RolloutRunner } from './rollouts/runner.ts'
import { RolloutSteps } from './rollouts/steps.ts'
import { kubeconfigAccess, podAccess } from './runtime/kubernetes/access.ts'
import { KubernetesRuntime } from './runtime/kubernetes/adapter.ts'
import { LocalRuntime } from './runtime/local/adapter.ts'
import type { Runtime } from './runtime/runtime.ts'
import { installationSecrets } from './secrets.ts'
import { AgentStatuses } from './sessions/agent-statuses.ts'
import { Idleness } from './sessions/idleness.ts'
import { Lease } from './sessions/lease.ts'
import { EXPOSED_PORTAL, Networks } from './sessions/networks.ts'
import { Reconciler } from './sessions/reconcile.ts'
import { Sessions } from './sessions/sessions.ts'
import { SandboxStarter, START_LIMITS, type StartLimits } from './sessions/starter.ts'
import { Starts } from './sessions/starts.ts'
import { environmentValues } from './settings/environment-values.ts'
import { Settings } from './settings/settings.ts'
import { openStorage } from './storage/open.ts'
import type { Storage } from './storage/storage.ts'
import { TerminalHub } from './terminal/hub.ts'
import { ModesMemory } from './terminal/memory.ts'
import { openUpstream } from './terminal/open.ts'
import { TerminalTickets } from './terminal/tickets.ts'
import { Invitations } from './users/invitations.ts'
import { Logins } from './users/logins.ts'
import { Passwords } from './users/passwords.ts'
import { RegistrationLimits } from './users/registration-limits.ts'
import { Repeats } from './users/repeats.ts'
import { SignInLimits } from './users/sign-in-limits.ts'
import { LoginTokens } from './users/tokens.ts'
import { Users } from './users/users.ts'
import { listOutput } from './workspace/listing.ts'
import { OutputFeed } from './workspace/output-feed.ts'
import { Outputs } from './workspace/outputs.ts'
import type { Listing } from './workspace/routes.ts'

/** Parts that tests replace. */
export interface Overrides {
  logger?: Logger
  runtime?: Runtime
  storage?: Storage
  bus?: Bus
  /** URL of a database that is there already. */
  databaseUrl?: string
  startLimits?: StartLimits
  /** After how much quiet an agent counts as idle, instead of the setting. */
  idleAfterMs?: () => Promise<number>
}

/** Everything that routes may be given. */
export interface Context {
  config: Config
  logger: Logger
  edge: EdgeRules
  database: Database
  bus: Bus
  assets: Assets
  frames: Frames
  lists: Lists
  streams: EventStreams
  settings: Settings
  users: Users
  invitations: Invitations
  logins: Logins
  repeats: Repeats
  agents: Agents
  outputs: Outputs
  feed: OutputFeed
  listing: Listing
  sessions: Sessions
  networks: Networks
  statuses: AgentStatuses
  fleet: Fleet
  rollouts: Rollouts
  runtime: Runtime
  hub: TerminalHub
  tickets: TerminalTickets
  identities: SandboxIdentities
  internalUrl: string
  /** True from the signal to stop on: readiness says no. */
  draining: boolean
  /** Starts background work, once the listeners answer. */
  begin(): void
  /** Ends event streams and terminal sockets; their clients come back. */
  endStreams(): void
  [Symbol.asyncDispose](): Promise<void>
}

const REVOCATION_POLL_MS = 3000
const ENDED_AGENTS_POLL_MS = 60_000
const NETWORK_POLL_MS = 10_000
const SWEEP_MS = 10 * 60_000
const UNKNOWN_OBJECTS_MS = 30 * 60_000

/** Builds the context: secrets, database (migrated), bus, storage, runtime, services. */
export async function createContext(config: Config, overrides: Overrides = {}): Promise<Context> {
  await using disposing = new AsyncDisposableStack()
  const logger = overrides.logger ?? createLogger(config.log)
  const secrets = await installationSecrets(config)
  const url = overrides.databaseUrl ?? config.database.url ?? (await embedded(config, logger, disposing))
  await waitForDatabase({ url, waitMs: config.database.startWaitMs, logger })
  await migrateUp({ url, logger })
  const database = openDatabase({ ...config.database, url, logger })
  disposing.defer(() => database.close())
  const { db } = database
  const internal = { url: '' }
  const bus = disposing.use(overrides.bus ?? (config.redisUrl ? new RedisBus(config.redisUrl, logger) : new MemoryBus()))
  const storage = disposing.use(overrides.storage ?? (await openStorage(config)))
  const runtime = disposing.use(overrides.runtime ?? (await runtimeOf(config, { db, logger, secretKeys: secrets.secretKeys, internalUrl: () => internal.url })))

  const settings = new Settings(db, { environment: environmentValues(config), classes: runtime.classes?.bind(runtime) })
  const invitations = new Invitations(db)
  const passwords = new Passwords(config.auth.minPasswordLength)
  const users = new Users({ db, settings, passwords, limits: new SignInLimits(), registrations: new RegistrationLimits(), invitations })
  const logins = disposing.use(new Logins({ db, bus, tokens: new LoginTokens(secrets.jwtSecret) }))
  const repeats = new Repeats(db)
  const agents = new Agents({
    db,
    bus,
    settings,
    box: new SecretBox(secrets.secretKeys),
    urls: { allowPrivate: runtime.kind === 'local', privateHosts: config.cluster?.privateModels },
  })
  const outputs = new Outputs({ db, storage, bus, settings })
  const feed = disposing.use(new OutputFeed({ outputs, bus, logger }))
  const sessions = new Sessions({ db, bus })
  const networks = new Networks({ db, sessions })
  const starts = new Starts({ db, hidden: (agent) => agents.hiddenValues(agent) })
  const statuses = new AgentStatuses({ agents, sessions, runtime })
  const hub = disposing.use(new TerminalHub({ openUpstream, logger, memory: new ModesMemory(join(config.dataDir, 'terminals')) }))
  const streams = disposing.use(new EventStreams())
  const lease = disposing.use(new Lease(url, logger))
  const tasks = disposing.use(new Tasks(logger))
  const terminalAnswers = (agent: Agent, timeoutMs: number) =>
    hub.answers({ agentId: agent.id, find: () => runtime.terminal({ userId: agent.createdBy, agentId: agent.id }) }, timeoutMs)
  const rollouts = new Rollouts({ db, bus, hasImages: runtime.hasImages })
  const rolloutSteps = new RolloutSteps({ db, rollouts, sessions, settings })
  const isLeader = () => lease.isLeader()
  const starter = new SandboxStarter({
    agents,
    sessions,
    starts,
    settings,
    runtime,
    terminalAnswers,
    tasks,
    logger,
    internalUrl: () => internal.url,
    limits: overrides.startLimits ?? START_LIMITS,
    recovers: (...failed) => rolloutSteps.recover(...failed),
  })
  const reconciler = disposing.use(
    new Reconciler({
      agents,
      sessions,
      starts,
      outputs,
      runtime,
      starter,
      idleness: new Idleness({ sessions, settings: { idleAfterMs: overrides.idleAfterMs ?? (() => settings.idleAfterMs()) }, runtime }),
      bus,
      tasks,
      logger,
      isLeader,
      onDeposed: (listener) => lease.onLost(listener),
    }),
  )
  const runner = new RolloutRunner({ db, bus, rollouts, steps: rolloutSteps, dormant: new DormantAgents({ db, bus, rollouts }), tasks, logger, isLeader })

  const identities = new SandboxIdentities(agents)
  const assets = new Assets()
  const owned = disposing.move()
  return {
    config,
    logger,
    edge: { publicUrl: config.http.publicUrl, trustedProxies: config.http.trustedProxies, secureCookies: config.http.publicUrl?.startsWith('https:') ?? false },
    database,
    bus,
    assets,
    frames: new Frames(assets, config.organisation, (user) => (user.role === 'admin' && networks.isOpen ? EXPOSED_PORTAL : undefined)),
    lists: new Lists({ statuses, settings, metrics: () => runtime.metrics() }),
    streams,
    settings,
    users,
    invitations,
    logins,
    repeats,
    agents,
    outputs,
    feed,
    listing: (agent, folder, from) => listOutput(db, agent, folder, from),
    sessions,
    networks,
    statuses,
    fleet: new Fleet({ db, runtime, sessions, starts, logger }),
    rollouts,
    runtime,
    hub,
    tickets: new TerminalTickets(),
    identities,
    get internalUrl() {
      return internal.url
    },
    set internalUrl(value: string) {
      internal.url = value
    },
    draining: false,
    begin() {
      const endLogins = (loginIds: string[]) => {
        streams.endLogins(loginIds)
        hub.endLogins(loginIds)
      }
      bus.subscribe((event) => event.kind === 'logins.ended' && endLogins(event.loginIds))
      const endTerminals = async (agentIds: number[]) => {
        const live = await sessions.live(agentIds)
        for (const agentId of agentIds) if (!live.has(agentId)) hub.drop(agentId)
      }
      bus.subscribe((event) => (event.kind === 'session.changed' || event.kind === 'agent.changed') && identities.forget(event.agentId))
      bus.subscribe((event) => {
        const mayEnd = (event.kind === 'session.changed' || event.kind === 'agent.changed') && hub.serves(event.agentId)
        if (mayEnd) tasks.start('terminal of an agent', () => endTerminals([event.agentId]))
      })
      tasks.every('terminals of ended agents', ENDED_AGENTS_POLL_MS, () => endTerminals(hub.agentIds()))
      // Where idle sandboxes sleep, what the model writes keeps them awake.
      if (runtime.sleepsWhenIdle) hub.onOutput((agentIds) => tasks.start('note output', () => sessions.noteOutput(agentIds)))
      hub.onInput((agentId) => tasks.start('note input', () => sessions.noteInput(agentId)))
      // The bus is only a hint: what it lost is found by asking for the logins of everything that is open.
      tasks.every('ended logins', REVOCATION_POLL_MS, async () => endLogins(await logins.ended([...new Set([...streams.loginIds(), ...hub.loginIds()])])))
      tasks.start('reports of networks', () => networks.refresh())
      tasks.every('reports of networks', NETWORK_POLL_MS, () => networks.refresh())
      tasks.every('sweep', SWEEP_MS, async () => {
        await Promise.all([logins.sweep(), repeats.sweep(), outputs.sweepOrphans(), outputs.forgetTombstones(), storage.sweep(), rollouts.sweep()])
      })
      tasks.every('objects without a row', UNKNOWN_OBJECTS_MS, async () => ((await lease.isLeader()) ? outputs.sweepUnknown() : 0))
      reconciler.start()
      runner.start()
    },
    endStreams() {
      streams[Symbol.dispose]()
      hub.endAll()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function runtimeOf(config: Config, { db, logger, secretKeys, internalUrl }: { db: Db; logger: Logger; secretKeys: string[]; internalUrl: () => string }): Promise<Runtime> {
  const { cluster } = config
  if (cluster) return clusterRuntime(cluster, { installation: await installationId(db), secretKeys, logger })
  const { claudeBin, installEnvironment, allowUnsandboxed } = config.runtime
  return new LocalRuntime({ dataDir: config.dataDir, claudeBin, installEnvironment, sidecarBin: sidecarExecutable(config), allowUnsandboxed, logger, internalUrl })
}

async function clusterRuntime(
  { api, kubeconfig, terminals, clusterDomain, privateModels: _models, volumeGraceMs, ...settings }: ClusterConfig,
  { installation, secretKeys, logger }: { installation: string; secretKeys: string[]; logger: Logger },
): Promise<Runtime> {
  const access = api ? await podAccess(api.host, api.port) : await kubeconfigAccess(kubeconfig ?? '')
  return new KubernetesRuntime({ access, settings: { ...settings, installation }, terminals, clusterDomain, volumeGraceMs, secretKeys, logger })
}

/** The compiled sidecar: configured, beside the compiled server, or built in the source tree. */
function sidecarExecutable(config: Config): string {
  const found = [config.runtime.sidecarBin, join(dirname(process.execPath), 'sidecar'), join(import.meta.dir, '..', 'dist', 'sidecar')].find((path) => path && existsSync(path))
  if (!found) throw new ConfigError('The sidecar executable is not built. Run `bun run build`, or set SIDECAR_BIN to it.')
  return found
}

async function embedded(config: Config, logger: Logger, disposing: AsyncDisposableStack): Promise<string> {
  const server = await startEmbedded({ dataDir: config.dataDir, logger })
  disposing.defer(() => server.stop())
  return server.url
}
