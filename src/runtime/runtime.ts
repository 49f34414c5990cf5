// The port to whatever runs sandboxes. Adapters: local (dtach + bubblewrap) and kubernetes (StatefulSets).
import { AppError } from '../lib/errors.ts'

/** Names one agent's sandbox. All adapters derive their own names from these three numbers. */
export interface SandboxRef {
  userId: number
  agentId: number
  /** Rises by one at every start; a sandbox of an older generation is stale. */
  generation: number
}

/** Whose a sandbox's files are: never another agent's, not even one's that has got the same numbers after a restored database. */
export interface FilesOwner extends Pick<SandboxRef, 'userId' | 'agentId'> {
  /** The agent's birth; null for agents of before there were any. */
  birth: string | null
}

export interface SandboxResources {
  /** Cores, for example 2 or 0.5. */
  cpuLimit: number
  memoryLimitBytes: number
  pidsLimit: number
}

/**
 * What the portal's settings choose for a sandbox in a cluster; amounts as Kubernetes writes them. What is missing is as
 * the operator configured the runtime.
 */
export interface ClusterChoices {
  image?: string
  /** Of a volume that is made now; one that is there stays, and grows where its class lets it. */
  storageSize?: string
  /** Empty is the cluster's default class. */
  storageClass?: string
  /** Empty is the cluster's usual runtime. */
  runtimeClass?: string
  cpuRequest?: string
  memoryRequest?: string
  /** Of what is written outside of the volume. */
  ephemeralStorageLimit?: string
}

/** Classes that a cluster has; undefined where the portal may not look. */
export interface ClusterClasses {
  storageClasses?: string[]
  runtimeClasses?: string[]
}

/** Everything a sandbox needs to start. Holds secrets: never log it whole. */
export interface SandboxSpec extends SandboxRef, FilesOwner {
  /** Environment of the CLI: provider URL, token, models, proxies, the user's variables. */
  environment: Record<string, string>
  resources: SandboxResources
  choices?: ClusterChoices
  /** The portal's text of /workspace/CLAUDE.md; empty leaves the file to the agent. */
  claudeMd: string
  /** The sidecar's bearer token for the internal API; never visible to the CLI. */
  sandboxToken: string
  /** Base URL of the internal API as seen from the sidecar. */
  internalUrl: string
  /** Colours the CLI starts with. */
  theme: 'light' | 'dark'
}

export const START_STEPS = ['scheduling', 'image', 'starting', 'restoring', 'skills', 'terminal'] as const
export type StartStep = (typeof START_STEPS)[number]

/** One piece of news while a sandbox starts. `done/total` drive the bar where they are known. */
export interface StartProgress {
  step: StartStep
  /** Words for the user, for example "Downloading Claude Code, 61 of 96 MB". */
  detail?: string
  done?: number
  total?: number
  /** What `detail` was read from, in the system's own words, for admins. */
  evidence?: string
}

export type SandboxPhase = 'absent' | 'starting' | 'ready' | 'failed'

/** What really runs, as far as the adapter knows. */
export interface SandboxState {
  userId: number
  agentId: number
  generation: number
  phase: SandboxPhase
  /** Why it failed, as a sentence with a next step. */
  reason?: string
  /** Its node does not answer any more: what ran there may run on, so the sandbox must begin a new generation. */
  isLost?: boolean
  /** What `reason` was read from, in the system's own words, for admins. */
  evidence?: string
  startedAt?: Date
  /** When its terminal last moved, in or out, where the adapter can see that; some seconds late. */
  activeAt?: Date
  /** A visible warning that goes with it, for example that isolation is off. */
  warning?: string
}

export interface SandboxUsage {
  /** Percent of the CPU limit, 0–100. */
  cpuPercent: number
  memoryBytes: number
  memoryPercent: number
}

/** Something that the system reports about a sandbox, in its own words. */
export interface SandboxEvent {
  at: Date
  /** Of what: the pod, its volume, … */
  kind: string
  reason: string
  message: string
  isWarning: boolean
  /** How often it was reported. */
  count: number
}

/** What an admin may see of a sandbox beyond its state. Holds nothing of its environment. */
export interface SandboxDetails {
  image?: string
  /** Where it runs. */
  node?: string
  /** How often it came back by itself since its last start. */
  restarts: number
  /** Newest first, a dozen at most. */
  events: SandboxEvent[]
}

/** Whether use can be measured; `evidence` is what the system says. */
export type Metrics = { kind: 'here' | 'pending' } | { kind: 'missing' | 'forbidden' | 'unreachable'; evidence: string }

/** Where a terminal upstream is dialled; `terminal/upstream.ts` knows how. */
export type TerminalAddress = { kind: 'dtach'; socketPath: string } | { kind: 'ttyd'; url: string; credential: string }

/** A newer start of the agent has its sandbox, or a restored database does not remember it: the row tells which. */
export class Superseded extends AppError {
  /** @param generation the newer start's. */
  constructor(readonly generation: number) {
    super('unavailable', 'superseded', 'Another start of this agent is newer. Reload to see it.')
  }
}

/** The sandbox's node was lost while it was waited for: a new generation must be begun. */
export class SandboxLost extends AppError {
  constructor(reason: string) {
    super('unavailable', 'sandbox_lost', reason)
  }
}

export interface Runtime {
  readonly kind: 'local' | 'kubernetes'
  /** Whether a sandbox at which nothing happens is ended to free its room, until somebody wants it again. */
  readonly sleepsWhenIdle: boolean
  /** Whether sandboxes come from an image that can be chosen. */
  readonly hasImages: boolean
  /** Finds out at boot whether sandboxes can run here; a sentence with a remedy when they cannot. */
  probe(): Promise<{ ok: true; warning?: string } | { ok: false; reason: string }>
  /**
   * Brings up the sandbox of `spec` and resolves when its terminal can be dialled. Starting what already runs
   * in the same generation is harmless. Throws AppError `unavailable` with a sentence and a next step, and Superseded
   * when there is a sandbox of a newer generation, which is left as it is. Throws SandboxLost.
   */
  start(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void>
  /**
   * Where sandboxes come back by themselves (a pod that was evicted): waits as `start` does, for the generation that runs.
   * Throws AppError `unavailable`, Superseded and SandboxLost.
   */
  follow?(ref: SandboxRef, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void>
  /** Ends every process of the sandbox of this generation; files stay. Stopping what does not run is harmless, and a newer one goes on. */
  stop(ref: SandboxRef): Promise<void>
  /** Stops it and removes its files for good, at once or after an operator's time of grace. */
  remove(owner: FilesOwner): Promise<void>
  /** Where something stands for a sandbox that does not run: ends one that has no agent any more, and removes all but its files. */
  disown?(ref: Pick<SandboxRef, 'userId' | 'agentId'>): Promise<void>
  /** Where files outlive their agent for a time: removes those whose time is over, unless `present` knows their agent, which came back. */
  sweep?(present: (ref: Pick<SandboxRef, 'userId' | 'agentId'>) => Promise<Pick<FilesOwner, 'birth'> | undefined>): Promise<void>
  /** Every sandbox that exists, from a cache or a cheap scan; used by the reconcile loop. */
  list(): Promise<SandboxState[]>
  state(ref: Pick<SandboxRef, 'userId' | 'agentId'>): Promise<SandboxState>
  /** Never waits for anything that is slow: what is not known yet is undefined, and `metrics` says why. */
  usage(ref: Pick<SandboxRef, 'userId' | 'agentId'>): Promise<SandboxUsage | undefined>
  metrics(): Metrics
  /** From what is known already; never waits. */
  inspect(ref: Pick<SandboxRef, 'userId' | 'agentId'>): SandboxDetails
  terminal(ref: Pick<SandboxRef, 'userId' | 'agentId'>): Promise<TerminalAddress>
  /** Of a cluster: the classes that a sandbox may ask for. Throws AppError `unavailable` when the cluster does not answer. */
  classes?(): Promise<ClusterClasses>
  /** Calls back when a sandbox ends or changes by itself. Returns the way to unsubscribe. */
  watch(listener: (state: SandboxState) => void): () => void
  [Symbol.asyncDispose](): Promise<void>
}
