// What a sandbox uses, summed over its process tree, as percent of its limits.
import { readdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import type { SandboxResources, SandboxUsage } from '../runtime.ts'
import { type ProcessMark, parentOf, treeUsage } from './processes.ts'

const TREE_CACHE_MS = 2000
const TICKS_PER_SECOND = 100

/** Reads usage; the process tree of the machine is read at most every two seconds for all sandboxes. */
export class UsageMeter {
  private tree = { readAt: Number.NEGATIVE_INFINITY, children: new Map<number, number[]>() }
  private readonly last = new Map<number, { ticks: number; at: number; percent: number }>()

  read(mark: ProcessMark, limits: SandboxResources | undefined): SandboxUsage {
    const { ticks, memoryBytes } = treeUsage(mark.pid, this.children())
    const now = performance.now()
    const before = this.last.get(mark.pid)
    const limit = limits ?? { cpuLimit: navigator.hardwareConcurrency, memoryLimitBytes: totalmem(), pidsLimit: 0 }
    const percent =
      before && now > before.at + 200
        ? Math.min(100, Math.max(0, ((ticks - before.ticks) / TICKS_PER_SECOND / ((now - before.at) / 1000) / limit.cpuLimit) * 100))
        : (before?.percent ?? 0)
    if (!before || now > before.at + 200) this.last.set(mark.pid, { ticks, at: now, percent })
    return { cpuPercent: Math.round(percent), memoryBytes, memoryPercent: Math.min(100, Math.round((memoryBytes / limit.memoryLimitBytes) * 100)) }
  }

  private children(): Map<number, number[]> {
    if (performance.now() - this.tree.readAt < TREE_CACHE_MS) return this.tree.children
    const children = new Map<number, number[]>()
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      const parent = Number.isInteger(pid) && pid > 0 ? parentOf(pid) : undefined
      if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
    }
    this.tree = { readAt: performance.now(), children }
    return children
  }
}
