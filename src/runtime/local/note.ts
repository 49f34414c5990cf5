// What a running sandbox leaves on disk about itself, so that any later server finds it.
import { readFileSync, statSync } from 'node:fs'
import type { SandboxFolders } from './layout.ts'
import { markOf, type ProcessMark, parentOf } from './processes.ts'

/** The sandbox's first process and the generation that it was started for. */
export type Note = ProcessMark & { generation: number }

/** The note of a sandbox; undefined when it has not come up or has been ended. */
export function readNote({ sandboxNote }: SandboxFolders): Note | undefined {
  try {
    const [pid, startTime = '', generation] = readFileSync(sandboxNote, 'utf8').trim().split(' ')
    return { pid: Number(pid), startTime, generation: Number(generation) }
  } catch {
    return undefined
  }
}

/** The dtach that a sandbox's first process was started by; another parent has nothing to do with it. */
export function holderOf(pid: number, socket: string): ProcessMark | undefined {
  const parent = parentOf(pid)
  try {
    return parent !== undefined && readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0').includes(socket) ? markOf(parent) : undefined
  } catch {
    // @NOTE it has ended.
    return undefined
  }
}

/** When the terminal of a process last moved: the kernel notes reads and writes, in steps of eight seconds. */
export function lastMoved(pid: number): Date | undefined {
  try {
    const { atimeMs, mtimeMs } = statSync(`/proc/${pid}/fd/0`)
    return new Date(Math.max(atimeMs, mtimeMs))
  } catch {
    return undefined
  }
}
