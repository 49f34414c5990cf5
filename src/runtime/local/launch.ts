// Starts a prepared sandbox: dtach holds its terminal, the first process notes itself and becomes bubblewrap.
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { AppError } from '../../lib/errors.ts'
import { until } from '../../lib/until.ts'
import { CLI_ENVIRONMENT } from '../cli-environment.ts'
import type { SandboxSpec } from '../runtime.ts'
import type { AgentFiles } from './agent-files.ts'
import { AGENT_ID, bubblewrapOptions, INSIDE } from './bubblewrap.ts'
import { asBubblewrapSees, enterCommand, type Isolation, visibleParts } from './isolation.ts'
import type { SandboxFolders } from './layout.ts'
import { readNote } from './note.ts'
import { sandboxOwner } from './owner.ts'
import { prepare } from './prepare.ts'
import { isAlive } from './processes.ts'

/** What a launch needs to know. */
export interface Launch {
  folders: SandboxFolders
  spec: SandboxSpec
  files: AgentFiles
  claude: string
  sidecar: string
  /** `cgroup.procs` files that limit it. */
  joinFiles: string[]
  /** Whether those limit the number of processes. */
  countsProcesses: boolean
}

const LAUNCH_MS = 10_000
const TRY_MS = 10_000
const CLEAN = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C.UTF-8', TERM: 'xterm-256color' }
const BASE_ENVIRONMENT: Record<string, string> = {
  ...CLI_ENVIRONMENT,
  PATH: '/opt/claude:/home/agent/.local/bin:/usr/local/bin:/usr/bin:/bin',
}

/** Prepares and starts an isolated sandbox. Throws AppError `unavailable`. */
export async function launchIsolated(launch: Launch, isolation: Isolation): Promise<void> {
  const { folders, spec, files, claude, sidecar } = launch
  const owner = isolation.kind === 'user' ? undefined : sandboxOwner(spec.agentId)
  const idInside = isolation.kind === 'plain' && owner !== undefined ? owner : AGENT_ID
  await prepare({ folders, spec, owner, idInside, workspaceInside: INSIDE.workspace })
  await rm(folders.openMark, { force: true })
  const visible = visibleParts(folders, { ...files, claude, sidecar })
  const environment = { ...BASE_ENVIRONMENT, ...spec.environment, HOME: INSIDE.home, SAC_SOCKET: INSIDE.socket }
  const options = bubblewrapOptions(isolation.kind, asBubblewrapSees(visible, isolation), environment)
  // Options hold the agent's key, so they go through a file that nobody else can read, not through a command line.
  await writeFile(folders.optionsFile, options.map((word) => `${word}\0`).join(''), { mode: 0o600 })
  const enter = (program: string[]) =>
    enterCommand({ isolation, enter: files.enter, optionsFile: folders.optionsFile, filterFile: files.filter, visible, uid: owner ?? 0 }, program)
  await inTerminal(launch, {
    command: enter([...ownLimit(launch), '/bin/sh', INSIDE.loop, INSIDE.claude, INSIDE.workspace]),
    cwd: '/',
    env: CLEAN,
    whyNot: () => problemOf(enter(['true'])),
  })
}

// Where no control group counts, the sandbox's user does: it has no processes but these.
function ownLimit({ countsProcesses, spec }: Launch): string[] {
  return countsProcesses || !existsSync('/usr/bin/prlimit') ? [] : ['/usr/bin/prlimit', `--nproc=${spec.resources.pidsLimit}:${spec.resources.pidsLimit}`, '--']
}

/** Prepares and starts the CLI with the rights of the server's user. */
export async function launchOpen(launch: Launch): Promise<void> {
  const { folders, spec, files, claude } = launch
  await prepare({ folders, spec, idInside: 0, workspaceInside: folders.workspace })
  await writeFile(folders.openMark, '', { mode: 0o600 })
  const env = { ...CLEAN, ...BASE_ENVIRONMENT, ...spec.environment, HOME: folders.home, SAC_SOCKET: folders.sidecarSocket }
  await inTerminal(launch, { command: ['/bin/sh', files.loop, claude, folders.workspace], cwd: folders.workspace, env })
}

interface FirstProcess {
  command: string[]
  cwd: string
  env: Record<string, string>
  /** Finds out why it ended at once. */
  whyNot?: () => Promise<string | undefined>
}

async function inTerminal({ folders, spec, files, joinFiles }: Launch, { command, cwd, env, whyNot }: FirstProcess): Promise<void> {
  const first = ['/bin/sh', files.launch, folders.sandboxNote, String(spec.generation), String(joinFiles.length), ...joinFiles]
  const child = Bun.spawn(['dtach', '-n', folders.terminalSocket, '-E', '-z', ...first, ...command], {
    env,
    cwd,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    timeout: LAUNCH_MS,
  })
  const [problem, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new AppError('unavailable', 'terminal_failed', `The terminal could not be made (${problem.trim() || `dtach ended with ${code}`}). Try again.`)
  // A first process that has ended already took its terminal along, with whatever it had to say.
  const isDecided = () => {
    const note = readNote(folders)
    return note?.generation === spec.generation && (existsSync(folders.terminalSocket) || !isAlive(note))
  }
  await until(isDecided, { timeoutMs: LAUNCH_MS, what: 'the sandbox' }).catch(async (cause: unknown) => {
    throw new AppError('unavailable', 'sandbox_failed', `The sandbox did not come up${because(await whyNot?.())}`, { cause })
  })
  const note = readNote(folders)
  if (!note || !isAlive(note)) throw new AppError('unavailable', 'sandbox_failed', `The sandbox ended as soon as it was started${because(await whyNot?.())}`)
}

function because(problem: string | undefined): string {
  return problem ? ` (${problem}). Try again; if it stays so, ask an admin to look at that.` : '. Try again; if it stays so, an admin finds the reason in the server’s log.'
}

/** What the same sandbox says when it is entered for nothing, outside of any terminal. */
async function problemOf(command: string[]): Promise<string | undefined> {
  const child = Bun.spawn(command, { env: CLEAN, cwd: '/', stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: TRY_MS })
  const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return code === 0 ? undefined : text.trim().split('\n').at(-1)?.slice(0, 300)
}
