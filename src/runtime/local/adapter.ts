// The local runtime: each agent in its own bubblewrap below a dtach terminal that outlives the server.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm, unlink, writeFile } from 'node:fs/promises'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import { until } from '../../lib/until.ts'
import type { Runtime, SandboxRef, SandboxSpec, SandboxState, SandboxUsage, StartProgress, TerminalAddress } from '../runtime.ts'
import { type AgentFiles, agentFiles } from './agent-files.ts'
import { AGENT_ID, bubblewrapOptions, INSIDE } from './bubblewrap.ts'
import { ClaudeCli } from './cli.ts'
import { asBubblewrapSees, enterCommand, type Isolation, type IsolationKind, visibleParts } from './isolation.ts'
import { foldersOf, type SandboxFolders, sandboxesRoot } from './layout.ts'
import { makeLimits, removeLimits } from './limits.ts'
import { sandboxOwner } from './owner.ts'
import { prepare } from './prepare.ts'
import { type Probe, probe } from './probe.ts'
import { endProcess, isAlive, markOf, type ProcessMark, parentOf } from './processes.ts'
import { Sidecars } from './sidecars.ts'
import { UsageMeter } from './usage.ts'

export interface LocalRuntimeOptions {
  dataDir: string
  claudeBin?: string
  sidecarBin: string
  allowUnsandboxed: boolean
  /** Ways of isolation to try; all that there are unless told. */
  isolations?: readonly IsolationKind[]
  logger: Logger
  /** Base URL of the internal API, known once the listener answers. */
  internalUrl: () => string
}

type Key = Pick<SandboxRef, 'userId' | 'agentId'>
type Note = ProcessMark & { generation: number }

const WATCH_MS = 1000
const LAUNCH_MS = 10_000
const OPEN_WARNING = 'This agent runs without isolation: it can read and change what the server’s user can.'

/** Runs sandboxes as process groups of this machine. */
export class LocalRuntime implements Runtime {
  readonly kind = 'local'
  private readonly sandboxes: string
  private readonly cli: ClaudeCli
  private readonly sidecars: Sidecars
  private readonly meter = new UsageMeter()
  private readonly listeners = new Set<(state: SandboxState) => void>()
  private readonly alive = new Map<string, Key>()
  private readonly limits = new Map<string, SandboxSpec['resources']>()
  private probed?: Promise<Probe>
  private readonly clock: ReturnType<typeof setInterval>

  constructor(private readonly options: LocalRuntimeOptions) {
    this.sandboxes = sandboxesRoot(options.dataDir)
    this.cli = new ClaudeCli(options)
    this.sidecars = new Sidecars(options)
    this.clock = setInterval(() => this.look(), WATCH_MS)
    this.clock.unref?.()
  }

  probe(): Promise<Probe> {
    this.probed ??= probe({ dataDir: this.options.dataDir, allowOpen: this.options.allowUnsandboxed, ways: this.options.isolations })
    return this.probed
  }

  async start(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    const folders = foldersOf(this.sandboxes, spec)
    if (readNote(folders)?.generation === spec.generation && (await this.state(spec)).phase === 'ready') return
    const able = await this.probe()
    if (!able.ok) {
      this.probed = undefined
      throw new AppError('unavailable', 'no_sandbox', able.reason)
    }
    progress({ step: 'scheduling', detail: `On this machine, ${spec.resources.cpuLimit} CPU and ${Math.round(spec.resources.memoryLimitBytes / 1024 ** 2)} MiB` })
    progress({ step: 'image', detail: 'Claude Code' })
    const claude = await this.cli.ensure((detail, done, total) => progress({ step: 'image', detail, done, total }))
    signal.throwIfAborted()
    progress({ step: 'starting' })
    const files = await agentFiles(this.options.dataDir)
    if (able.isolation) await this.isolated(folders, spec, files, able.isolation, claude)
    else await this.open(folders, spec, files, claude)
    progress({ step: 'restoring', detail: 'The files are on this machine' })
    this.limits.set(keyOf(spec), spec.resources)
    this.alive.set(keyOf(spec), { userId: spec.userId, agentId: spec.agentId })
    await this.sidecars.ensure(folders, keyOf(spec))
  }

  async stop(key: Key): Promise<void> {
    const folders = foldersOf(this.sandboxes, key)
    this.alive.delete(keyOf(key))
    await this.sidecars.stop(folders, keyOf(key))
    const note = readNote(folders)
    const terminal = note && holderOf(note.pid, folders.terminalSocket)
    if (note) await endProcess(note, { group: existsSync(folders.openMark) })
    // dtach removes its socket when it ends, even if that is the next start's by then.
    if (terminal) await endProcess(terminal)
    await unlink(folders.sandboxNote).catch(() => {})
    await unlink(folders.terminalSocket).catch(() => {})
    removeLimits(keyOf(key))
  }

  async remove(key: Key): Promise<void> {
    await this.stop(key)
    await rm(foldersOf(this.sandboxes, key).root, { recursive: true, force: true })
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
    return { ...base, phase: 'ready', warning: existsSync(folders.openMark) ? OPEN_WARNING : undefined }
  }

  async usage(key: Key): Promise<SandboxUsage | undefined> {
    const note = readNote(foldersOf(this.sandboxes, key))
    return note && isAlive(note) ? this.meter.read(note, this.limits.get(keyOf(key))) : undefined
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

  private async launch(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, command: string[], cwd: string, env: Record<string, string>): Promise<void> {
    const limits = makeLimits(keyOf(spec), spec.resources)
    if (limits.missing.length > 0) this.options.logger.warn('this machine does not let us limit a sandbox', { agentId: spec.agentId, missing: limits.missing })
    const first = ['/bin/sh', files.launch, folders.sandboxNote, String(spec.generation), String(limits.joinFiles.length), ...limits.joinFiles]
    const dtach = ['dtach', '-n', folders.terminalSocket, '-E', '-z', ...first, ...command]
    const child = Bun.spawn(dtach, { env, cwd, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
    const [problem, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
    if (code !== 0) throw new AppError('unavailable', 'terminal_failed', `The terminal could not be made (${problem.trim() || `dtach ended with ${code}`}). Try again.`)
    const isUp = () => readNote(folders)?.generation === spec.generation && existsSync(folders.terminalSocket)
    await until(isUp, { timeoutMs: LAUNCH_MS, what: 'the sandbox' }).catch((cause: unknown) => {
      throw new AppError(
        'unavailable',
        'sandbox_failed',
        'The sandbox did not come up within ten seconds. Try again; if it stays so, an admin finds the reason in the server’s log.',
        { cause },
      )
    })
  }

  private async isolated(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, isolation: Isolation, claude: string): Promise<void> {
    const owner = isolation.kind === 'user' ? undefined : sandboxOwner(spec.agentId)
    const idInside = isolation.kind === 'plain' && owner !== undefined ? owner : AGENT_ID
    await prepare({ folders, spec, owner, idInside, workspaceInside: INSIDE.workspace })
    await rm(folders.openMark, { force: true })
    const visible = visibleParts(folders, { ...files, claude, sidecar: this.options.sidecarBin })
    const environment = { ...BASE_ENVIRONMENT, ...spec.environment, HOME: INSIDE.home, SAC_SOCKET: INSIDE.socket }
    const options = bubblewrapOptions(isolation.kind, asBubblewrapSees(visible, isolation), environment)
    // Options hold the agent's key, so they go through a file that nobody else can read, not through a command line.
    await writeFile(folders.optionsFile, options.map((word) => `${word}\0`).join(''), { mode: 0o600 })
    const entering = { isolation, enter: files.enter, optionsFile: folders.optionsFile, filterFile: files.filter, visible, uid: owner ?? 0 }
    await this.launch(folders, spec, files, enterCommand(entering, ['/bin/sh', INSIDE.loop, INSIDE.claude, INSIDE.workspace]), '/', CLEAN)
  }

  private async open(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, claude: string): Promise<void> {
    await prepare({ folders, spec, idInside: 0, workspaceInside: folders.workspace })
    await writeFile(folders.openMark, '', { mode: 0o600 })
    const env = { ...CLEAN, ...BASE_ENVIRONMENT, ...spec.environment, HOME: folders.home, SAC_SOCKET: folders.sidecarSocket }
    await this.launch(folders, spec, files, ['/bin/sh', files.loop, claude, folders.workspace], folders.workspace, env)
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

const CLEAN = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C.UTF-8', TERM: 'xterm-256color' }
const BASE_ENVIRONMENT: Record<string, string> = {
  PATH: '/opt/claude:/home/agent/.local/bin:/usr/local/bin:/usr/bin:/bin',
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  LANG: 'C.UTF-8',
  SHELL: '/bin/bash',
  USER: 'agent',
  IS_SANDBOX: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
}

// The dtach that a sandbox's first process was started by; another parent has nothing to do with it.
function holderOf(pid: number, socket: string): ProcessMark | undefined {
  const parent = parentOf(pid)
  try {
    return parent !== undefined && readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0').includes(socket) ? markOf(parent) : undefined
  } catch {
    // @NOTE it has ended.
    return undefined
  }
}

function readNote({ sandboxNote }: SandboxFolders): Note | undefined {
  try {
    const [pid, startTime = '', generation] = readFileSync(sandboxNote, 'utf8').trim().split(' ')
    return { pid: Number(pid), startTime, generation: Number(generation) }
  } catch {
    return undefined
  }
}

function keyOf({ userId, agentId }: Key): string {
  return `${userId}-${agentId}`
}
