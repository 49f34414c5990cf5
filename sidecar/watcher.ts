// Sees every change below a folder: events for speed, scans for certainty.
import { type BigIntStats, existsSync, type FSWatcher, lstatSync, mkdirSync, readdirSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import { pathProblem } from '../src/lib/paths.ts'
import type { Identity, Journal } from './journal.ts'
import { identityOf } from './open.ts'

const HANDLE_EVERY_MS = 25
const SCAN_EVERY_MS = 30_000
const MAX_DIRTY = 50_000

/** Time before a first change of a file is sent. */
export const QUIET_MS = 50

/** Watches a folder and keeps the journal's `seen` column true. */
export class Watcher {
  private watcher?: FSWatcher
  private readonly dirty = new Set<string>()
  private handling?: ReturnType<typeof setTimeout>
  private scanning: ReturnType<typeof setInterval>
  private scanWanted = false
  private rootIdentity = ''

  constructor(
    private readonly root: string,
    private readonly journal: Journal,
    private readonly onChange: () => void,
  ) {
    this.scanning = setInterval(() => this.later(true), SCAN_EVERY_MS)
    this.begin()
  }

  [Symbol.dispose](): void {
    clearInterval(this.scanning)
    clearTimeout(this.handling)
    this.watcher?.close()
  }

  // Watch first, then look at everything: nothing falls between the two.
  private begin(): void {
    this.watcher?.close()
    try {
      mkdirSync(this.root, { recursive: true })
      this.rootIdentity = folderIdentity(this.root)
      this.watcher = watch(this.root, { recursive: true }, (_event, name) => {
        // No name means that the queue ran over: everything may have changed.
        if (name === null || this.dirty.size >= MAX_DIRTY) return this.later(true)
        this.dirty.add(name)
        this.later(false)
      })
      this.watcher.on('error', () => this.later(true))
    } catch {
      // @NOTE the folder cannot be watched now; the next scan tries again.
      this.rootIdentity = ''
    }
    this.later(true)
  }

  private later(scan: boolean): void {
    this.scanWanted ||= scan
    this.handling ??= setTimeout(() => {
      this.handling = undefined
      this.handle()
    }, HANDLE_EVERY_MS)
  }

  private handle(): void {
    if (!existsSync(this.root) || folderIdentity(this.root) !== this.rootIdentity) return this.begin()
    const names = [...this.dirty]
    this.dirty.clear()
    const seen = new Map<string, Identity | null>()
    if (this.scanWanted) {
      this.scanWanted = false
      this.lookBelow('', seen)
    } else for (const name of names) this.lookAt(name, seen)
    if (seen.size === 0) return
    this.journal.observe(seen, QUIET_MS)
    this.onChange()
  }

  private lookAt(path: string, seen: Map<string, Identity | null>): void {
    const stat = statOf(join(this.root, path))
    // A name that is a folder now may have been a file, and what lay below it may have gone: look at all of it.
    if (stat?.isDirectory()) return this.lookBelow(path, seen, true)
    for (const gone of this.journal.known(path)) seen.set(gone, null)
    if (ignored(path)) return
    seen.set(path, stat && isPlain(stat) ? identityOf(stat) : null)
  }

  private lookBelow(folder: string, seen: Map<string, Identity | null>, wasName = false): void {
    const missing = new Set(this.journal.known(folder))
    if (wasName) seen.set(folder, null)
    const open = [folder]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const entry of entriesOf(join(this.root, at))) {
        const path = at === '' ? entry : `${at}/${entry}`
        const stat = statOf(join(this.root, path))
        if (stat?.isDirectory()) {
          if (!pathProblem(path)) open.push(path)
        } else if (stat && isPlain(stat) && !ignored(path)) {
          missing.delete(path)
          seen.set(path, identityOf(stat))
        }
      }
    }
    for (const path of missing) seen.set(path, null)
  }
}

/** Names that are never sent: what editors and Claude Code write only to rename it, and what is no valid path. */
export function ignored(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return pathProblem(path) !== undefined || /~$|\.sw[a-p]$|\.tmp\.\d+(\.[0-9a-f]+)?$|^\.nfs[0-9a-f]+$/.test(name)
}

function isPlain(stat: BigIntStats): boolean {
  return stat.isFile() && stat.nlink === 1n
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true })
  } catch {
    return undefined
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function folderIdentity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.dev}:${stat.ino}` : ''
}
