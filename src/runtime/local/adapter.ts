// The local runtime: each agent in its own bubblewrap below a dtach terminal that outlives the server.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import { until } from '../../lib/until.ts'
import type { Runtime, SandboxRef, SandboxSpec, SandboxState, SandboxUsage, StartProgress, TerminalAddress } from '../runtime.ts'
import { type AgentFiles, agentFiles } from './agent-files.ts'
import { bubblewrapArguments, INSIDE } from './bubblewrap.ts'
import { ClaudeCli } from './cli.ts'
import { seedHome, writeWhole } from './home.ts'
import { foldersOf, type SandboxFolders, sandboxesRoot } from './layout.ts'
import { makeLimits, removeLimits } from './limits.ts'
import { type Probe, probe } from './probe.ts'
import { endProcess, isAlive, markOf, type ProcessMark, parentOf } from './processes.ts'
import { Sidecars } from './sidecars.ts'
import { UsageMeter } from './usage.ts'

export interface LocalRuntimeOptions {
  dataDir: string
  claudeBin?: string
  sidecarBin: string
  allowUnsandboxed: boolean
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
    this.probed ??= probe(this.options.allowUnsandboxed)
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
    await this.prepare(folders, spec)
    await this.launch(folders, spec, files, claude, able.isolated)
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
    if (note) await endProcess(note, { group: existsSync(join(folders.hidden, 'open')) })
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
    return { ...base, phase: 'ready', warning: existsSync(join(folders.hidden, 'open')) ? OPEN_WARNING : undefined }
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

  private async prepare(folders: SandboxFolders, spec: SandboxSpec): Promise<void> {
    for (const folder of [folders.root, folders.home, folders.workspace, folders.output, folders.shared, folders.hidden]) await mkdir(folder, { recursive: true, mode: 0o700 })
    await seedHome(folders.home, INSIDE.workspace, spec.theme)
    if (spec.claudeMd) await writeWhole(join(folders.workspace, 'CLAUDE.md'), `${spec.claudeMd}\n`, 0o644)
    await rm(folders.tokenFile, { force: true })
    await writeFile(folders.tokenFile, spec.sandboxToken, { mode: 0o400 })
    await unlink(folders.terminalSocket).catch(() => {})
    await unlink(folders.sandboxNote).catch(() => {})
  }

  private async launch(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, claude: string, isolated: boolean): Promise<void> {
    const environment = { ...BASE_ENVIRONMENT, ...spec.environment }
    const command = isolated ? await this.isolatedCommand(folders, spec, files, claude, environment) : await openCommand(folders, spec, files, claude)
    const env = isolated ? CLEAN : { ...CLEAN, ...environment, HOME: folders.home, SAC_SOCKET: folders.sidecarSocket }
    const child = Bun.spawn(['dtach', '-n', folders.terminalSocket, '-E', '-z', ...command], { env, cwd: folders.workspace, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
    const [problem, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
    if (code !== 0) throw new AppError('unavailable', 'terminal_failed', `The terminal could not be made (${problem.trim() || `dtach ended with ${code}`}). Try again.`)
    await until(() => readNote(folders)?.generation === spec.generation && existsSync(folders.terminalSocket), { timeoutMs: LAUNCH_MS, what: 'the sandbox' }).catch(() => {
      throw new AppError('unavailable', 'sandbox_failed', 'The sandbox did not come up. Try again; if it stays so, an admin finds the reason in the server’s log.')
    })
  }

  // Arguments hold the agent's key, so they go through a file that nobody else can read, not through a command line.
  private async isolatedCommand(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, claude: string, environment: Record<string, string>): Promise<string[]> {
    const limits = makeLimits(keyOf(spec), spec.resources)
    if (limits.missing.length > 0) this.options.logger.warn('this machine does not let us limit a sandbox', { agentId: spec.agentId, missing: limits.missing })
    const inside = { ...environment, HOME: INSIDE.home, SAC_SOCKET: INSIDE.socket }
    const policy = bubblewrapArguments(folders, { ...files, claude, sidecar: this.options.sidecarBin }, inside)
    const [options, program] = [policy.slice(0, policy.indexOf('--')), policy.slice(policy.indexOf('--') + 1)]
    await writeFile(folders.argumentsFile, options.map((word) => `${word}\0`).join(''), { mode: 0o600 })
    await rm(join(folders.hidden, 'open'), { force: true })
    return [
      '/bin/sh',
      files.launch,
      folders.sandboxNote,
      String(spec.generation),
      folders.argumentsFile,
      Bun.which('bwrap') ?? 'bwrap',
      String(limits.joinFiles.length),
      ...limits.joinFiles,
      ...program,
    ]
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

const CLEAN = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', TERM: 'xterm-256color' }
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

async function openCommand(folders: SandboxFolders, spec: SandboxSpec, files: AgentFiles, claude: string): Promise<string[]> {
  await writeFile(join(folders.hidden, 'open'), '', { mode: 0o600 })
  await seedHome(folders.home, folders.workspace, spec.theme)
  await chmod(files.launchOpen, 0o755)
  return ['/bin/sh', files.launchOpen, folders.sandboxNote, String(spec.generation), '/bin/sh', files.loop, claude, folders.workspace]
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
