// What goes together in one request: many small files and removals, read into memory and each with its hash.
import { closeSync, readSync } from 'node:fs'
import { PACK_CHANGES, type PackEntry } from '../src/internal/contract.ts'
import { type Identity, LARGE_BYTES, type Work } from './journal.ts'
import { isUnchanged, type OpenedFile, openFile } from './open.ts'

// Of what was seen; a file may have grown since, up to what counts as small.
const PACK_BYTES = 512 * 1024

/** A change that is ready to be sent. */
export interface Packed {
  work: Work
  entry: PackEntry
  bytes?: Uint8Array<ArrayBuffer>
  /** What the server has once it took the change. */
  identity: Identity | null
}

/** Puts works together, in their order: at most `limit` a pack, and few enough bytes for memory. */
export function packsOf(works: readonly Work[], limit = PACK_CHANGES): Work[][] {
  const packs: Work[][] = []
  let pack: Work[] = []
  let size = 0
  for (const work of works) {
    if (pack.length === 0 || pack.length >= limit || size + sizeOf(work.seen) > PACK_BYTES) {
      pack = []
      packs.push(pack)
      size = 0
    }
    pack.push(work)
    size += sizeOf(work.seen)
  }
  return packs
}

/**
 * Reads what is at a path now. A file that is `grown` is not small any more; what is `unclear` is not plainly a file at rest
 * or nothing. Throws RootUnreachable.
 */
export function packed(root: string, work: Work): Packed | 'grown' | 'unclear' {
  const file = openFile(root, work.path)
  if (!('fd' in file)) return file.kind === 'absent' || file.kind === 'folder' ? { work, entry: [work.path], identity: null } : 'unclear'
  try {
    if (file.size > LARGE_BYTES) return 'grown'
    const bytes = readWhole(file)
    if (bytes.byteLength < file.size || !isUnchanged(file)) return 'unclear'
    return { work, entry: [work.path, new Bun.CryptoHasher('sha256').update(bytes).digest('hex'), bytes.byteLength], bytes, identity: file.identity }
  } finally {
    closeSync(file.fd)
  }
}

/** All bytes of a small open file; fewer when it became shorter. */
export function readWhole({ fd, size }: OpenedFile): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; ) {
    const read = readSync(fd, bytes, at, size - at, at)
    if (read === 0) return bytes.subarray(0, at)
    at += read
  }
  return bytes
}

/** How many bytes a file had when it was seen. */
export function sizeOf(identity: Identity | null): number {
  return identity === null ? 0 : Number(identity.slice(0, identity.indexOf(':')))
}
