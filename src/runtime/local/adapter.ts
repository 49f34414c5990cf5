// The local runtime: each agent in its own bubblewrap below a dtach terminal that outlives the server.
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { sha256Hex } from '../../lib/crypto.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import { Turns } from '../../lib/turns.ts'
import type { FilesOwner, Metrics, Runtime, SandboxDetails, SandboxRef, SandboxSpec, SandboxState, SandboxUsage, StartProgress, TerminalAddress } from '../runtime.ts'
import { agentFiles } from './agent-files.ts'
import { belong, rootOf } from './births.ts'
import { ClaudeCli } from './cli.ts'
import { asDiskFull, removeTree } from './disk.ts'
import type { Isolation, IsolationKind } from './isolation.ts'
import { launchIsolated, launchOpen } from './launch.ts'
import { foldersOf, type SandboxFolders, sandboxesRoot } from './layout.ts'
import { makeLimits, removeLimits } from './limits.ts'
import { holderOf, lastMoved, readNote } from './note.ts'
import { type Probe, probe } from './probe.ts'
import { childrenOf, endProcess, isAlive } from './processes.ts'
import { Sidecars } from './sidecars.ts'
import { UsageMeter } from './usage.ts'

export interface LocalRuntimeOptions {
  dataDir: string
  claudeBin?: string
  installEnvironment: Record<string, string>
  sidecarBin: string
  allowUnsandboxed: boolean
  /** Ways of isolation to try; all that there are unless told. */
  isolations?: readonly IsolationKind[]
  logger: Logger
  /** Base URL of the internal API, known once the listener answers. */
  internalUrl: () => string
}

type Key = Pick<SandboxRef, 'userId' | 'agentId'>

const WATCH_MS = 1000
const OPEN_WARNING = 'This agent is not isolated. It runs without isolation and can read and change what the server’s user can.'

/** Runs sandboxes as process groups of this machine. */
export class LocalRuntime implements Runtime {
  readonly kind = 'local'
  readonly sleepsWhenIdle = false
  readonly hasImages: boolean = false
  private readonly turns = new Turns()
  private readonly mark: string
  private readonly cli: ClaudeCli
  private readonly sidecars: Sidecars
  private readonly meter = new UsageMeter()
  private readonly listeners = new Set<(state: SandboxState) => void>()
  private readonly alive = new Map<string, Key>()
  private readonly limits = new Map<string, SandboxSpec['resources']>()
  private probed?: Promise<Probe>
  private readonly clock: ReturnType<typeof setInterval>

  constructor(private readonly options: LocalRuntimeOptions) {
    this.mark = sha256Hex(realpathSync(sandboxesRoot(options.dataDir))).slice(0, 8)
    this.cli = new ClaudeCli(options)
    this.sidecars = new Sidecars(options)
    this.clock = setInterval(() => this.look(), WATCH_MS)
    this.clock.unref?.()
  }

  private get sandboxes(): string {
    return sandboxesRoot(this.options.dataDir)
  }

  probe(): Promise<Probe> {
    const { dataDir, allowUnsandboxed: allowOpen, isolations: ways } = this.options
    if (!this.probed) {
      const looking = probe({ dataDir, allowOpen, ways })
      this.probed = looking
      // What could not be found out, or was not allowed, is looked at again: an operator may have changed it.
      const forget = () => {
        if (this.probed === looking) this.probed = undefined
      }
      looking.then((found) => found.ok || forget(), forget)
    }
    return this.probed
  }

  async start(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    await this.bringUp(spec, progress, signal).catch((error: unknown) => {
      throw asDiskFull(error) ?? error
    })
  }

  private async bringUp(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    const folders = foldersOf(this.sandboxes, spec)
    const isUp = async () => readNote(folders)?.generation === spec.generation && (await this.state(spec)).phase === 'ready'
    if (await isUp()) return
    const able = await this.probe()
    if (!able.ok) throw new AppError('unavailable', 'no_sandbox', able.reason)
    const { cpuLimit, memoryLimitBytes } = spec.resources
    progress({ step: 'scheduling', detail: `On this machine, ${cpuLimit} ${cpuLimit === 1 ? 'core' : 'cores'} and ${Math.round((memoryLimitBytes / 1024 ** 3) * 100) / 100} GiB` })
    progress({ step: 'image' })
    const claude = await this.cli.ensure((detail, done, total) => progress({ step: 'image', detail, done, total }))
    // One at a time touches a sandbox: a start that somebody gave up never ends or doubles the one after it.
    await this.turns.take(keyOf(spec), async () => {
      signal.throwIfAborted()
      if (await isUp()) return
      progress({ step: 'starting' })
      await this.launch(folders, spec, claude, able.isolation)
      if (signal.aborted) await this.end(spec)
    })
    signal.throwIfAborted()
    progress({ step: 'restoring', detail: 'The files are on this machine' })
  }

  async stop(ref: SandboxRef): Promise<void> {
    await this.turns.take(keyOf(ref), async () => {
      const note = readNote(foldersOf(this.sandboxes, ref))
      if (!note || note.generation <= ref.generation) await this.end(ref)
    })
  }

  async remove(owner: FilesOwner): Promise<void> {
    await this.turns.take(keyOf(owner), async () => {
      await this.end(owner)
      await removeTree(await rootOf(foldersOf(this.sandboxes, owner), owner.birth))
      this.limits.delete(keyOf(owner))
    })
  }

  async list(): Promise<SandboxState[]> {
    const keys = readdirSync(this.sandboxes).flatMap((name) => {
      const match = /^(\d+)-(\d+)$/.exec(name)
      return match ? [{ userId: Number(match[1]), agentId: Number(match[2]) }] : []
    })
    return Promise.all(keys.map((key) => this.state(key)))
  }

  async state(key: Key): Promise<SandboxState> {
    const folders = foldersOf(this.sandboxes, key)
    const note = readNote(folders)
    const base = { userId: key.userId, agentId: key.agentId, generation: note?.generation ?? 0 }
    if (!note) return { ...base, phase: 'absent' }
    if (!isAlive(note)) return { ...base, phase: 'failed', reason: 'The sandbox’s processes ended.' }
    if (!this.alive.has(keyOf(key))) {
      // One that outlived an earlier server: watch it and see that its sidecar lives.
      this.alive.set(keyOf(key), { userId: key.userId, agentId: key.agentId })
      await this.sidecars.ensure(folders, keyOf(key))
    }
    return { ...base, phase: 'ready', activeAt: lastMoved(note.pid), warning: existsSync(folders.openMark) ? OPEN_WARNING : undefined }
  }

  async usage(key: Key): Promise<SandboxUsage | undefined> {
    const note = readNote(foldersOf(this.sandboxes, key))
    return note && isAlive(note) ? this.meter.read(note, this.limitsOf(key)) : undefined
  }

  metrics(): Metrics {
    return { kind: 'here' }
  }

  /** Nobody but us looks after processes of this machine: there is no image, and nothing is reported. */
  inspect(): SandboxDetails {
    return { restarts: 0, events: [] }
  }

  async terminal(key: Key): Promise<TerminalAddress> {
    const { terminalSocket } = foldersOf(this.sandboxes, key)
    const note = readNote(foldersOf(this.sandboxes, key))
    if (!note || !isAlive(note)) throw new AppError('unavailable', 'not_running', 'This agent does not run. Start it first.')
    return { kind: 'dtach', socketPath: terminalSocket }
  }

  watch(listener: (state: SandboxState) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Lets go of everything; sandboxes and sidecars go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.clock)
    this.sidecars[Symbol.dispose]()
    this.listeners.clear()
  }

  private async launch(folders: SandboxFolders, spec: SandboxSpec, claude: string, isolation: Isolation | undefined): Promise<void> {
    // Whatever an earlier start left behind, even one that no row remembers.
    await this.end(spec)
    await belong(folders, spec.birth)
    const files = await agentFiles(this.options.dataDir)
    const { joinFiles, missing } = makeLimits(this.groupOf(spec), spec.resources)
    if (missing.length > 0) this.options.logger.warn('this machine does not let us limit a sandbox', { agentId: spec.agentId, missing })
    const countsProcesses = !missing.some((name) => name.startsWith('pids'))
    const launch = { folders, spec, files, claude, sidecar: this.options.sidecarBin, joinFiles, countsProcesses }
    await (isolation ? launchIsolated(launch, isolation) : launchOpen(launch))
    await writeFile(folders.limitsFile, JSON.stringify(spec.resources), { mode: 0o600 })
    this.limits.set(keyOf(spec), spec.resources)
    this.alive.set(keyOf(spec), { userId: spec.userId, agentId: spec.agentId })
    await this.sidecars.ensure(folders, keyOf(spec))
  }

  private async end(key: Key): Promise<void> {
    const folders = foldersOf(this.sandboxes, key)
    this.alive.delete(keyOf(key))
    const note = readNote(folders)
    if (note) {
      const terminal = holderOf(note.pid, folders.terminalSocket)
      // The first process inside takes all others along and is gone only when they are.
      const inside = isAlive(note) ? childrenOf(note.pid) : []
      await endProcess(note, { group: existsSync(folders.openMark) })
      for (const mark of inside) await endProcess(mark, { graceMs: 0 })
      // dtach removes its socket when it ends, even if that is the next start's by then.
      if (terminal) await endProcess(terminal)
    }
    await rm(folders.sandboxNote, { force: true })
    await rm(folders.terminalSocket, { force: true })
    // They hold the agent's keys as they are; the next start writes them anew.
    await rm(folders.optionsFile, { force: true })
    // Last: it carries out what was written to the end, and nobody starts another one for a sandbox without a note.
    await this.sidecars.stop(folders, keyOf(key))
    removeLimits(this.groupOf(key))
  }

  // A sandbox that outlived an earlier server has left its limits beside it.
  private limitsOf(key: Key): SandboxSpec['resources'] | undefined {
    const known = this.limits.get(keyOf(key)) ?? readLimits(foldersOf(this.sandboxes, key))
    if (known) this.limits.set(keyOf(key), known)
    return known
  }

  // Two portals on one machine number their agents alike.
  private groupOf(key: Key): string {
    return `${keyOf(key)}-${this.mark}`
  }

  // A sandbox that ended by itself is told once; the reconcile loop decides what to do.
  private look(): void {
    for (const [name, key] of this.alive) {
      const note = readNote(foldersOf(this.sandboxes, key))
      if (note && isAlive(note)) {
        void this.sidecars.ensure(foldersOf(this.sandboxes, key), name)
        continue
      }
      this.alive.delete(name)
      const state: SandboxState = { ...key, generation: note?.generation ?? 0, phase: 'failed', reason: 'The sandbox’s processes ended.' }
      for (const listener of this.listeners) listener(state)
    }
  }
}

function readLimits({ limitsFile }: SandboxFolders): SandboxSpec['resources'] | undefined {
  try {
    return JSON.parse(readFileSync(limitsFile, 'utf8')) as SandboxSpec['resources']
  } catch {
    return undefined
  }
}

function keyOf({ userId, agentId }: Key): string {
  return `${userId}-${agentId}`
}
