// Looking at and opening what the sandbox wrote, without being led out of its folder: every part of a path is entered through
// /proc/self/fd, so none can be swapped for a link between check and use.
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, type Stats } from 'node:fs'
import { escapeName, unescapeName } from '../src/lib/paths.ts'
import type { Identity } from './journal.ts'

const FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY | constants.O_NONBLOCK
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
// Only these mean that something is not there. Any other error says nothing, and is never taken for a removal.
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** The watched folder itself cannot be entered, so nothing can be said about what is in it. */
export class RootUnreachable extends Error {}

/**
 * What is at a path: a `file` that may be sent; a `folder`; a file with `several` names, which may be one of somebody else;
 * `absent` for nothing and for all that is never sent (links, pipes, sockets, devices); `unknown` when an error hides it.
 */
export type Found = { kind: 'file' | 'several'; identity: Identity } | { kind: 'folder' } | { kind: 'absent' } | { kind: 'unknown'; error: unknown }

/** An open folder of the sandbox. Close it. */
export type FolderFd = number

/** A file that is safe to read. Close its `fd`. */
export interface OpenedFile {
  fd: number
  identity: Identity
  size: number
  /** When it last changed, in the system's milliseconds. */
  changedMs: number
}

/** One name in a folder, as it is written in paths. `likely` is what the listing says, which may be outdated. */
export interface Entry {
  name: string
  likely: 'folder' | 'other'
}

/** Enters a folder below `root` ('' is the root). Throws RootUnreachable, or the system's error for what is below. */
export function enterFolder(root: string, path: string): FolderFd {
  let folder: FolderFd
  try {
    folder = openSync(root, FOLDER)
  } catch (cause) {
    throw new RootUnreachable('the watched folder cannot be entered', { cause })
  }
  if (path === '') return folder
  for (const [index, part] of path.split('/').entries()) {
    try {
      const next = openSync(within(folder, part, index === 0), FOLDER)
      closeSync(folder)
      folder = next
    } catch (error) {
      closeSync(folder)
      throw error
    }
  }
  return folder
}

/** What is at a path below `root`. Throws RootUnreachable. */
export function look(root: string, path: string): Found {
  return inFolderOf(root, path, (folder, name, first) => lookWithin(folder, name, first))
}

/** What a name in an open folder is; `first` for names in the root. */
export function lookWithin(folder: FolderFd, name: string, first: boolean): Found {
  try {
    return foundOf(lstatSync(within(folder, name, first)))
  } catch (error) {
    return failed(error)
  }
}

/** Opens the file at a path below `root`; what is no sendable file is only described. Throws RootUnreachable. */
export function openFile(root: string, path: string): OpenedFile | Exclude<Found, { kind: 'file' }> {
  return inFolderOf(root, path, (folder, name, first) => {
    // Opening is an act for pipes and devices: look first.
    const found = lookWithin(folder, name, first)
    if (found.kind !== 'file') return found
    const fd = openSync(within(folder, name, first), FILE)
    const stat = fstatSync(fd)
    const opened = foundOf(stat)
    if (opened.kind === 'file') return { fd, identity: opened.identity, size: stat.size, changedMs: stat.ctimeMs }
    closeSync(fd)
    return opened
  })
}

/** The names in an open folder. Throws the system's error: a folder that cannot be read is not empty. */
export function entriesOf(folder: FolderFd, first: boolean): Entry[] {
  const path = `/proc/self/fd/${folder}`
  const entries = readdirSync(path, { withFileTypes: true })
  if (!entries.some((entry) => entry.name.includes('\ufffd'))) {
    return entries.map((entry) => ({ name: escapeName(entry.name, first), likely: entry.isDirectory() ? 'folder' : 'other' }))
  }
  // Some name is not UTF-8: only its bytes tell it from others.
  return readdirSync(path, { encoding: 'buffer' }).map((bytes) => {
    const name = escapeName(bytes, first)
    return { name, likely: lookWithin(folder, name, first).kind === 'folder' ? 'folder' : 'other' }
  })
}

// A system may stamp changes no finer than this.
const STAMP_MS = 12

/**
 * Whether what was read of an open file since it was opened is its content. A file that changed in the last moment counts as
 * changed: another change could bear the same time.
 */
export function isUnchanged({ fd, identity, changedMs }: OpenedFile): boolean {
  return identityOf(fstatSync(fd)) === identity && Math.abs(Date.now() - changedMs) > STAMP_MS
}

/** Whether an error of the system means that something is not there, or is no folder that may be entered. */
export function isAbsent(error: unknown): boolean {
  return ABSENT.has((error as { code?: string }).code ?? '')
}

function inFolderOf<T>(root: string, path: string, act: (folder: FolderFd, name: string, first: boolean) => T): T | Exclude<Found, { kind: 'file' }> {
  const cut = path.lastIndexOf('/')
  let folder: FolderFd | undefined
  try {
    folder = enterFolder(root, path.slice(0, Math.max(0, cut)))
    return act(folder, path.slice(cut + 1), cut < 0)
  } catch (error) {
    if (error instanceof RootUnreachable) throw error
    return failed(error)
  } finally {
    if (folder !== undefined) closeSync(folder)
  }
}

function within(folder: FolderFd, name: string, first: boolean): string | Buffer {
  const real = name.includes('%') ? unescapeName(name, first) : name
  return typeof real === 'string' ? `/proc/self/fd/${folder}/${real}` : Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), real])
}

function foundOf(stat: Stats): Found {
  if (stat.isDirectory()) return { kind: 'folder' }
  if (!stat.isFile()) return { kind: 'absent' }
  return { kind: stat.nlink === 1 ? 'file' : 'several', identity: identityOf(stat) }
}

/** What changes whenever the content may have changed. */
function identityOf(stat: Stats): Identity {
  return `${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}:${stat.ino}`
}

function failed(error: unknown): { kind: 'absent' } | { kind: 'unknown'; error: unknown } {
  return isAbsent(error) ? { kind: 'absent' } : { kind: 'unknown', error }
}
