// CPU, memory and process limits by control groups, version 2 or 1, where this machine lets us make them.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SandboxResources } from '../runtime.ts'

const ROOT = '/sys/fs/cgroup'

export interface LimitGroup {
  /** `cgroup.procs` files that the first process writes itself into. */
  joinFiles: string[]
  /** What could not be limited, for the log. */
  missing: string[]
}

/** Makes the groups of a sandbox with its limits. Where that is not allowed the list of files is empty. */
export function makeLimits(name: string, resources: SandboxResources): LimitGroup {
  return existsSync(join(ROOT, 'cgroup.controllers')) ? unified(name, resources) : legacy(name, resources)
}

/** Removes the groups of a sandbox that has ended. */
export function removeLimits(name: string): void {
  for (const folder of [join(ROOT, `sac-${name}`), ...['memory', 'pids', 'cpu'].map((controller) => join(ROOT, controller, `sac-${name}`))]) {
    try {
      if (existsSync(folder)) rmdirSync(folder)
    } catch {
      // @NOTE still in use for a moment; the next start takes the same group over.
    }
  }
}

function unified(name: string, resources: SandboxResources): LimitGroup {
  const folder = join(ROOT, `sac-${name}`)
  const missing: string[] = []
  try {
    mkdirSync(folder, { recursive: true })
  } catch {
    return { joinFiles: [], missing: ['cpu', 'memory', 'pids'] }
  }
  const set = (file: string, value: string) => write(join(folder, file), value) || missing.push(file)
  set('memory.max', String(resources.memoryLimitBytes))
  set('pids.max', String(resources.pidsLimit))
  set('cpu.max', `${Math.round(resources.cpuLimit * 100_000)} 100000`)
  return { joinFiles: [join(folder, 'cgroup.procs')], missing }
}

function legacy(name: string, resources: SandboxResources): LimitGroup {
  const group: LimitGroup = { joinFiles: [], missing: [] }
  const limits: [string, [string, string][]][] = [
    ['memory', [['memory.limit_in_bytes', String(resources.memoryLimitBytes)]]],
    ['pids', [['pids.max', String(resources.pidsLimit)]]],
    [
      'cpu',
      [
        ['cpu.cfs_period_us', '100000'],
        ['cpu.cfs_quota_us', String(Math.round(resources.cpuLimit * 100_000))],
      ],
    ],
  ]
  for (const [controller, files] of limits) {
    const folder = join(ROOT, controller, `sac-${name}`)
    try {
      mkdirSync(folder, { recursive: true })
      if (files.every(([file, value]) => write(join(folder, file), value))) group.joinFiles.push(join(folder, 'cgroup.procs'))
      else group.missing.push(controller)
    } catch {
      group.missing.push(controller)
    }
  }
  return group
}

function write(path: string, value: string): boolean {
  try {
    writeFileSync(path, value)
    return readFileSync(path, 'utf8').length > 0
  } catch {
    return false
  }
}
