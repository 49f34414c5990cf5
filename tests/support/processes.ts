// Looking at and interfering with processes that a test started.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Number of the server process on an embedded database's folder; 0 when it has left its note. */
export function postmasterPid(dataDir: string): number {
  try {
    return Number(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return 0
  }
}

/** Whether a process runs; a dead one that nobody has collected yet does not. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** A process and its children, by number. */
export function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => statOf(other)?.[1] === String(pid))
  return [pid, ...children]
}

/** Sends a signal to every one of them that is still there. */
export function signalAll(pids: number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // @NOTE it has just ended.
    }
  }
}

// State and parent are the first two words after the name in parentheses.
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Everything below these processes, whose command is `name`. */
export function below(ancestors: readonly number[], name: string): number[] {
  const parents = new Map(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map((entry) => [Number(entry), Number(statOf(Number(entry))?.[1])]),
  )
  const descends = (pid: number | undefined): boolean => pid !== undefined && pid > 1 && (ancestors.includes(pid) || descends(parents.get(pid)))
  return [...parents.keys()].filter((pid) => nameOf(pid) === name && descends(parents.get(pid)))
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    // @NOTE it has just ended.
    return ''
  }
}
