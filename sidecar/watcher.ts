// Sees every change below a folder: events for speed, comparisons for certainty.
import { closeSync, type FSWatcher, fchownSync, fstatSync, lstatSync, mkdirSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { escapeName, isBelow } from '../src/lib/paths.ts'
import type { Journal, Observation } from './journal.ts'
import { enterFolder, type FolderFd, type Found, look, RootUnreachable } from './open.ts'
import { isSamePlace, placeOf } from './place.ts'
import { differences, isIgnored, type ScanNotes, seenOfSeveral } from './scan.ts'
import type { Warnings } from './warnings.ts'

const GATHER_MS = 10
const POLL_MS = 1000
const SCAN_EVERY_MS = 30_000
// With folders that the system does not watch, comparisons are all there is.
const BLIND_SCAN_EVERY_MS = 5000
const PORTION = 500
const MAX_DIRTY = 50_000
const MAX_AGAIN = 500
const AGAIN_TIMES = 5
// Bytes that are not UTF-8, what paths cannot hold, and what looks as if it were escaped.
const ODD = /[\r\n\\%\ufffd]|^[A-Za-z]:/

interface Options {
  root: string
  journal: Journal
  warnings: Warnings
  /** The journal has new work. */
  onChange: () => void
}

/** Watches a folder and keeps what the journal has seen true. */
export class Watcher {
  private watcher?: FSWatcher
  // Held open, so that no other folder can get its number while we compare numbers.
  private watched?: FolderFd
  private blind = false
  private readonly dirty = new Set<string>()
  private dirtySince = 0
  private scanWanted = true
  private lastScan = 0
  private gathering?: ReturnType<typeof setTimeout>
  private working?: Promise<void>
  private readonly again = new Map<string, number>()
  private readonly polling: ReturnType<typeof setInterval>
  private readonly notes: ScanNotes = {
    several: (path) => this.lookAgain(path),
    unreadable: (path, error) => this.options.warnings.warn('a part of the folder cannot be read', { path, error: String(error) }),
  }

  constructor(private readonly options: Options) {
    this.polling = setInterval(() => this.poll(), POLL_MS)
    this.later()
  }

  [Symbol.dispose](): void {
    clearInterval(this.polling)
    clearTimeout(this.gathering)
    this.unwatch()
  }

  /** Looks at one path now. Throws RootUnreachable. */
  lookAt(path: string): void {
    const seen: Observation[] = []
    this.note(path, look(this.options.root, path), seen)
    this.journal(seen, this.options.journal.now())
  }

  /** Compares everything once more; resolves when the journal is true. */
  async settle(): Promise<void> {
    this.scanWanted = true
    await this.working
    await this.work()
  }

  private later(): void {
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined
      this.working ??= this.work().finally(() => {
        this.working = undefined
        if (this.dirty.size > 0) this.later()
      })
    }, GATHER_MS)
  }

  private poll(): void {
    for (const [path, times] of this.again) {
      this.changed(path)
      if (times < AGAIN_TIMES) this.again.set(path, times + 1)
      else this.again.delete(path)
    }
    const age = performance.now() - this.lastScan
    if (age > (this.blind ? BLIND_SCAN_EVERY_MS : SCAN_EVERY_MS)) this.scanWanted = true
    // Also finds out that the folder itself went away, of which there is no event.
    this.later()
  }

  private changed(path: string): void {
    if (this.dirty.size === 0) this.dirtySince = performance.now()
    if (path === '' || this.dirty.size >= MAX_DIRTY) this.scanWanted = true
    else this.dirty.add(path)
    this.later()
  }

  private lookAgain(path: string): void {
    // The other name is often gone in a moment, and nothing tells when.
    if (this.again.size < MAX_AGAIN && !this.again.has(path)) this.again.set(path, 0)
  }

  private async work(): Promise<void> {
    try {
      if (!this.rootIsWatched()) return
      const at = Math.min(performance.now(), this.dirtySince)
      const names = [...this.dirty]
      this.dirty.clear()
      if (this.scanWanted) {
        this.scanWanted = false
        this.lastScan = performance.now()
        await this.compare('')
      } else if (names.length > 0) await this.lookAtAll(names.sort(), at)
    } catch (error) {
      // Nothing is lost: everything is looked at again.
      this.scanWanted = true
      if (!(error instanceof RootUnreachable)) this.options.warnings.warn('changes cannot be noted now', { error: String(error) })
    }
  }

  private async lookAtAll(names: string[], at: number): Promise<void> {
    let seen: Observation[] = []
    let compared: string | undefined
    for (const [index, path] of names.entries()) {
      if (compared !== undefined && isBelow(path, compared)) continue
      const found = look(this.options.root, path)
      this.note(path, found, seen)
      if (found.kind === 'folder' || seen.length >= PORTION || index === names.length - 1) {
        this.journal(seen, at)
        seen = []
        await Bun.sleep(0)
      }
      // A new folder may have been filled before it was watched; a renamed one has other content now.
      if (found.kind === 'folder') {
        compared = path
        await this.compare(path)
      }
    }
    this.journal(seen, at)
  }

  private note(path: string, found: Found, seen: Observation[]): void {
    const { journal } = this.options
    if (found.kind === 'unknown') return this.notes.unreadable(path, found.error)
    if (found.kind !== 'folder') for (const row of journal.below(path, '', Number.MAX_SAFE_INTEGER)) seen.push([row.path, null])
    if (found.kind === 'several') this.lookAgain(path)
    if (isIgnored(path) || found.kind === 'folder' || found.kind === 'absent') seen.push([path, null])
    else seen.push([path, found.kind === 'file' ? found.identity : seenOfSeveral(journal.seen(path), found.identity)])
  }

  private async compare(folder: string): Promise<void> {
    for (const portion of differences(this.options.root, folder, this.options.journal, this.notes)) {
      this.journal(portion, performance.now())
      await Bun.sleep(0)
    }
  }

  private journal(seen: Observation[], at: number): void {
    if (seen.length > 0 && this.options.journal.observe(seen, at) > 0) this.options.onChange()
  }

  private rootIsWatched(): boolean {
    const { root, journal } = this.options
    try {
      const parent = statSync(dirname(root))
      if (!lstatSync(root, { throwIfNoEntry: false })) mkdirSync(root)
      const stat = lstatSync(root)
      if (!stat.isDirectory()) throw new Error('it is not a folder')
      // In a pod the volume's root is not ours to follow: there we are the agent's user already.
      if (process.getuid?.() === 0 && stat.uid === 0 && parent.uid !== 0) handOver(root, parent)
      this.noteShift(placeOf({ root: stat, parent, journal: statSync(journal.path) }))
      const watched = this.watched === undefined ? undefined : fstatSync(this.watched)
      if (watched?.ino !== stat.ino || watched.dev !== stat.dev) this.watchRoot()
      return true
    } catch (error) {
      this.unwatch()
      this.options.warnings.warn('the folder cannot be watched now', { folder: root, error: String(error) })
      return false
    }
  }

  private noteShift(place: string): void {
    const { journal, warnings } = this.options
    const before = journal.fact('place')
    if (before === place) return
    journal.fact('place', place)
    if (before === undefined || isSamePlace(before, place)) return
    // Another disk lies here now, or none: that says nothing about the files of the first.
    journal.forget()
    warnings.warn('the folder lies elsewhere now; nothing that was sent is removed', { place })
  }

  // Watch first, then compare everything: nothing falls between the two.
  private watchRoot(): void {
    this.unwatch()
    this.watched = enterFolder(this.options.root, '')
    this.blind = false
    this.scanWanted = true
    this.watcher = watch(this.options.root, { recursive: true }, (_event, name) => this.changed(name ? pathOfEvent(name) : ''))
    this.watcher.on('error', (error) => {
      this.blind = true
      this.scanWanted = true
      this.options.warnings.warn('the system watches no more folders; changes there are found more slowly', { error: String(error) })
    })
  }

  private unwatch(): void {
    this.watcher?.close()
    this.watcher = undefined
    if (this.watched !== undefined) closeSync(this.watched)
    this.watched = undefined
  }
}

/** A folder that we made belongs to whoever works around it: we may be root, and the sandbox is not. */
function handOver(root: string, { uid, gid }: { uid: number; gid: number }): void {
  const folder = enterFolder(root, '')
  try {
    fchownSync(folder, uid, gid)
  } finally {
    closeSync(folder)
  }
}

/** Path of an event's name; the nearest folder whose name is certain where the name is not UTF-8. */
function pathOfEvent(name: string): string {
  if (!ODD.test(name)) return name
  const parts = name.split('/')
  const uncertain = parts.findIndex((part) => part.includes('\ufffd'))
  return (uncertain < 0 ? parts : parts.slice(0, uncertain)).map((part, index) => escapeName(part, index === 0)).join('/')
}
