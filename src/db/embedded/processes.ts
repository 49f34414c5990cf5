// Which server process runs on a data folder, and who started it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { until } from '../../lib/until.ts'

/** A server that runs on our data folder. */
export interface RunningServer {
  pid: number
  /** Whether the process that started it still lives and so looks after it. */
  owned: boolean
}

const FAST_STOP_MS = 15_000
const OWNER_SETTING = 'sac.owner'

/** Names us as the owner in the server's own command line: the mark lives and dies with that process. */
export function ownerMark(): string {
  return `${OWNER_SETTING}=${process.pid}.${birth(process.pid)}`
}

/**
 * The server on this folder, if one runs. A note of a server that is gone, whose number belongs to a stranger by now,
 * is removed: PostgreSQL would take the stranger for a server and refuse to start.
 */
export function runningServer(data: string): RunningServer | undefined {
  const note = join(data, 'postmaster.pid')
  const pid = existsSync(note) ? Number(readFileSync(note, 'utf8').split('\n')[0]) : 0
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const command = commandOf(pid)
  const isServer = basename(command[0] ?? '').startsWith('postgres')
  if (isServer && command.join(' ').includes(data)) return { pid, owned: ownerLives(command) }
  if (command.length > 0 && !isServer) rmSync(note, { force: true })
  return undefined
}

/** Ends a server that nobody looks after. */
export async function endServer({ pid }: RunningServer): Promise<void> {
  const born = birth(pid)
  const gone = () => birth(pid) !== born
  signal(pid, 'SIGINT')
  await until(gone, { timeoutMs: FAST_STOP_MS, what: 'the end of an earlier database server' }).catch(() => signal(pid, 'SIGQUIT'))
  await until(gone, { timeoutMs: FAST_STOP_MS, what: 'the end of an earlier database server' })
}

function ownerLives(command: string[]): boolean {
  const mark = command.find((word) => word.startsWith(`${OWNER_SETTING}=`))?.slice(OWNER_SETTING.length + 1) ?? ''
  const dot = mark.indexOf('.')
  return dot > 0 && birth(Number(mark.slice(0, dot))) === mark.slice(dot + 1)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // @NOTE it ended by itself just now, which is what we want.
  }
}

/** When a process began, in words without spaces; together with the number it names one process for ever. Empty when it is gone. */
export function birth(pid: number): string {
  if (!existsSync('/proc/self/stat')) return ps(pid, 'lstart').replace(/\s+/g, '_')
  try {
    // The name in parentheses may hold spaces; the start time is the 20th word after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return words[0] === 'Z' ? '' : (words[19] ?? '')
  } catch {
    return ''
  }
}

function commandOf(pid: number): string[] {
  if (!existsSync('/proc/self/stat')) return ps(pid, 'command').split(' ').filter(Boolean)
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
  } catch {
    return []
  }
}

function ps(pid: number, column: string): string {
  try {
    return execFileSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}
