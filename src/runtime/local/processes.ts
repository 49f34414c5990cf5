// Processes by number and start time, so that a recycled number is never taken for ours.
import { readFileSync } from 'node:fs'
import { until } from '../../lib/until.ts'

/** A process that cannot be mistaken for another one. */
export interface ProcessMark {
  pid: number
  /** Clock ticks since boot; field 22 of /proc/PID/stat. */
  startTime: string
}

/** The mark of a running process; undefined when there is none. */
export function markOf(pid: number): ProcessMark | undefined {
  const fields = statFields(pid)
  return fields ? { pid, startTime: fields[19] ?? '' } : undefined
}

/** Whether this very process still runs; a zombie does not. */
export function isAlive({ pid, startTime }: ProcessMark): boolean {
  const fields = statFields(pid)
  return fields !== undefined && fields[19] === startTime && fields[0] !== 'Z' && fields[0] !== 'X'
}

/** Ends a process (with `group`, its process group): TERM first, KILL after `graceMs`. Resolves when it is gone. */
export async function endProcess(mark: ProcessMark, { graceMs = 3000, group = false }: { graceMs?: number; group?: boolean } = {}): Promise<void> {
  const send = (signal: NodeJS.Signals) => {
    if (!isAlive(mark)) return
    try {
      process.kill(group ? -mark.pid : mark.pid, signal)
    } catch {
      // @NOTE it went between the look and the signal.
    }
  }
  send('SIGTERM')
  await until(() => !isAlive(mark), { timeoutMs: graceMs, what: 'the end of a process' }).catch(() => send('SIGKILL'))
  await until(() => !isAlive(mark), { timeoutMs: 10_000, what: 'the end of a killed process' })
}

/** CPU ticks and resident bytes of a process and everything below it. */
export function treeUsage(root: number, children: Map<number, number[]>): { ticks: number; memoryBytes: number } {
  const total = { ticks: 0, memoryBytes: 0 }
  const open = [root]
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const fields = statFields(pid)
    if (!fields) continue
    total.ticks += Number(fields[11]) + Number(fields[12])
    total.memoryBytes += Number(fields[21]) * 4096
    open.push(...(children.get(pid) ?? []))
  }
  return total
}

/** Fields of /proc/PID/stat from the state on (the third field is index 0). */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text
      .slice(text.lastIndexOf(')') + 2)
      .trim()
      .split(' ')
  } catch {
    return undefined
  }
}

/** The processes that this one started. */
export function childrenOf(pid: number): ProcessMark[] {
  try {
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return pids.flatMap((child) => markOf(Number(child)) ?? [])
  } catch {
    return []
  }
}

/** Parent of a process, for building the tree. */
export function parentOf(pid: number): number | undefined {
  const fields = statFields(pid)
  return fields ? Number(fields[1]) : undefined
}
