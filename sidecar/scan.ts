// Compares a folder with the journal, name by name in the journal's order, so that neither has to be held in memory.
import { closeSync } from 'node:fs'
import { isBelow, nameOf, pathProblem } from '../src/lib/paths.ts'
import type { Identity, Journal, Observation } from './journal.ts'
import { type Entry, enterFolder, entriesOf, type FolderFd, isAbsent, lookWithin, RootUnreachable } from './open.ts'

const PAGE = 500
const BREATH = 2000
// Editors and Claude Code write these only to rename or remove them: swap files, backups, `x.tmp.PID.TIME`, and what a network
// file system keeps of removed open files. Names that begin with a dot are files like all others.
const PASSING = /~$|\.sw[a-p]$|\.tmp\.\d+(\.[0-9a-f]+)?$|^\.nfs[0-9a-f]{8,}$/

/** Whether a file of this name is never sent, whatever it holds. Folders of such names count like all others. */
export function isIgnored(path: string): boolean {
  return PASSING.test(nameOf(path)) || pathProblem(path) !== undefined
}

/** What a comparison tells besides differences. */
export interface ScanNotes {
  /** A file with more than one name: not sent, and to be looked at again. */
  several: (path: string) => void
  /** Something could not be read; what is known of it stays. */
  unreadable: (path: string, error: unknown) => void
}

/** What a known file with several names counts as: what it was while it is the same file, else nothing. */
export function seenOfSeveral(known: Identity | null | undefined, now: Identity): Identity | null {
  const inode = (identity: Identity) => identity.slice(identity.lastIndexOf(':'))
  return known && inode(known) === inode(now) ? known : null
}

/**
 * Yields how `folder` ('' for all) differs from the journal, in portions that may be empty. A portion is true when it is
 * yielded: journal it before anything else can happen. Throws RootUnreachable.
 */
export function* differences(root: string, folder: string, journal: Journal, notes: ScanNotes): Generator<Observation[]> {
  const known = new Known(journal, folder)
  let found: Observation[] = []
  let steps = 0
  for (const step of walk(root, folder)) {
    const place = step.kind === 'unreadable' && step.folder && step.path !== '' ? `${step.path}/` : step.path
    for (let row = known.row; row && isBefore(row.path, place); row = known.next()) found.push([row.path, null])
    if (step.kind === 'unreadable') {
      notes.unreadable(step.path, step.error)
      for (let row = known.row; row && (row.path === step.path || isBelow(row.path, step.path)); ) row = known.next()
    } else {
      const before = known.row?.path === step.path ? known.row.seen : null
      if (before !== null) known.next()
      if (step.kind === 'several') notes.several(step.path)
      const seen = isIgnored(step.path) ? null : step.kind === 'file' ? step.identity : seenOfSeveral(before, step.identity)
      if (seen !== before) found.push([step.path, seen])
    }
    if (found.length >= PAGE || ++steps % BREATH === 0) {
      yield found
      found = []
      known.refresh(place)
    }
  }
  for (let row = known.row; row; row = known.row) {
    found.push([row.path, null])
    known.next()
    if (found.length < PAGE) continue
    yield found
    found = []
    known.refresh(row.path)
  }
  yield found
}

/** The journal's rows below a folder, a page at a time. */
class Known {
  private page: { path: string; seen: Identity }[] = []
  private index = 0
  private passed = ''
  private isLast = false

  constructor(
    private readonly journal: Journal,
    private readonly folder: string,
  ) {}

  get row(): { path: string; seen: Identity } | undefined {
    if (this.index >= this.page.length && !this.isLast) {
      this.page = this.journal.below(this.folder, this.passed, PAGE)
      this.index = 0
      this.isLast = this.page.length < PAGE
    }
    return this.page[this.index]
  }

  next(): { path: string; seen: Identity } | undefined {
    this.passed = this.row?.path ?? this.passed
    this.index++
    return this.row
  }

  /** Reads on from the journal as it is now, behind a path at least. */
  refresh(place: string): void {
    if (isBefore(this.passed, place)) this.passed = place
    this.page = []
    this.index = 0
    this.isLast = false
  }
}

type Step = { kind: 'file' | 'several'; path: string; identity: Identity } | { kind: 'unreadable'; path: string; folder: boolean; error: unknown }

// In the byte order of whole paths. A name that turned into something else since it was listed has an event on its way.
function* walk(root: string, folder: string): Generator<Step> {
  let fd: FolderFd | undefined
  try {
    let entries: Entry[]
    try {
      fd = enterFolder(root, folder)
      entries = entriesOf(fd, folder === '').sort((a, b) => (isBefore(orderOf(a), orderOf(b)) ? -1 : 1))
    } catch (error) {
      if (error instanceof RootUnreachable) throw error
      if (!isAbsent(error)) yield { kind: 'unreadable', path: folder, folder: true, error }
      return
    }
    for (const { name, likely } of entries) {
      const path = folder === '' ? name : `${folder}/${name}`
      if (likely === 'folder') {
        if (pathProblem(path) === undefined) yield* walk(root, path)
        continue
      }
      const found = lookWithin(fd, name, folder === '')
      if (found.kind === 'unknown') yield { kind: 'unreadable', path, folder: false, error: found.error }
      else if (found.kind === 'file' || found.kind === 'several') yield { kind: found.kind, path, identity: found.identity }
    }
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function orderOf({ name, likely }: Entry): string {
  return likely === 'folder' ? `${name}/` : name
}

// Strings compare by UTF-16, the journal by UTF-8: they differ where surrogates meet.
function isBefore(a: string, b: string): boolean {
  return /[\ud800-\udfff]/.test(a) || /[\ud800-\udfff]/.test(b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 : a < b
}
