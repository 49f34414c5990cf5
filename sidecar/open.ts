// Opening a file of the sandbox without being led out of its folder: no links, regular files only, one name only.
import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { Identity } from './journal.ts'

export interface OpenedFile {
  fd: number
  identity: Identity
  size: number
}

const FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY | constants.O_NONBLOCK
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Opens `path` below `root`, one part at a time through /proc/self/fd, so that no part can be swapped for a link
 * between check and use. Undefined when it is gone, or is not a regular file with a single name.
 */
export function openBeneath(root: string, path: string): OpenedFile | undefined {
  const parts = path.split('/')
  const name = parts.pop() ?? ''
  let folder = -1
  try {
    folder = openSync(root, FOLDER)
    for (const part of parts) {
      const next = openSync(`/proc/self/fd/${folder}/${part}`, FOLDER)
      closeSync(folder)
      folder = next
    }
    const fd = openSync(`/proc/self/fd/${folder}/${name}`, FILE)
    const stat = fstatSync(fd, { bigint: true })
    if (stat.isFile() && stat.nlink === 1n) return { fd, identity: identityOf(stat), size: Number(stat.size) }
    closeSync(fd)
    return undefined
  } catch {
    // @NOTE whatever cannot be opened is not there for us; a later event or scan looks again.
    return undefined
  } finally {
    if (folder >= 0) closeSync(folder)
  }
}

/** What changes whenever the content may have changed. */
export function identityOf(stat: BigIntStats): Identity {
  return `${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.ino}`
}

/** Whether an open file is still as it was. */
export function unchanged({ fd, identity }: OpenedFile): boolean {
  return identityOf(fstatSync(fd, { bigint: true })) === identity
}
