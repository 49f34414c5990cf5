// Objects as files below one folder: written to a temporary name, synced, then renamed into place.
import { createHash } from 'node:crypto'
import { closeSync, fsync, openSync, renameSync, statfsSync, write, writeSync } from 'node:fs'
import { mkdir, readdir, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { randomToken } from '../lib/crypto.ts'
import { AppError } from '../lib/errors.ts'
import type { ByteRange, Storage, StoredObject } from './storage.ts'

const TEMP_MAX_AGE_MS = 60 * 60 * 1000
// Room that files never take, because the embedded database lies on the same disk and must be able to write: of a small disk
// a twentieth.
const RESERVE_BYTES = 512 * 1024 ** 2
const RESERVE_SHARE = 0.05
// What only touches the system's memory is done at once: handing it to another thread takes longer than the thing itself. What
// waits for the disk is handed over.
const SMALL_BYTES = 64 * 1024
const later = { write: promisify(write), fsync: promisify(fsync) }

/** Storage in a folder of this machine. Keys are hashed into two-level folders, so no key can leave the folder. */
export class FilesystemStorage implements Storage {
  readonly kind = 'filesystem'
  private readonly folders = new Set<string>()

  constructor(private readonly root: string) {}

  async put(key: string, body: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    const target = this.file(key)
    const temporary = join(this.root, 'tmp', randomToken(12))
    try {
      await this.folder(join(this.root, 'tmp'))
      await this.folder(dirname(target))
      this.refuseWithoutRoom(size)
      const file = openSync(temporary, 'wx', 0o600)
      try {
        await writeWhole(file, body, size)
        renameSync(temporary, target)
        // Content and name reach the disk together, with one wait. Nobody knows this key before both have.
        await Promise.all([later.fsync(file), syncFolder(dirname(target))])
      } finally {
        closeSync(file)
      }
    } catch (cause) {
      // A folder that somebody removed, or another disk in its place: look again the next time.
      this.folders.clear()
      await unlink(temporary).catch(() => {})
      throw translate(cause)
    }
  }

  async get(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array> | undefined> {
    const file = Bun.file(this.file(key))
    if (!(await file.exists())) return undefined
    return (range ? file.slice(range.start, range.end) : file).stream() as ReadableStream<Uint8Array>
  }

  async delete(keys: string[]): Promise<void> {
    await Promise.all(keys.map((key) => unlink(this.file(key)).catch(ignoreMissing)))
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const folder of await readdir(join(this.root, 'objects')).catch(() => [])) {
      for (const name of await readdir(join(this.root, 'objects', folder)).catch(() => [])) {
        const key = decodeKey(name)
        if (!key.startsWith(prefix)) continue
        const info = await stat(join(this.root, 'objects', folder, name)).catch(() => undefined)
        if (info) yield { key, size: info.size, storedAt: info.mtime }
      }
    }
  }

  /** Removes half-written files that a killed process left behind, never young ones. */
  async sweep(): Promise<void> {
    const folder = join(this.root, 'tmp')
    for (const name of await readdir(folder).catch(() => [])) {
      const info = await stat(join(folder, name)).catch(() => undefined)
      if (info && Date.now() - info.mtimeMs > TEMP_MAX_AGE_MS) await rm(join(folder, name), { force: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  private file(key: string): string {
    return join(this.root, 'objects', createHash('sha256').update(key).digest('hex').slice(0, 2), encodeKey(key))
  }

  private async folder(path: string): Promise<void> {
    if (this.folders.has(path)) return
    await mkdir(path, { recursive: true, mode: 0o700 })
    await syncFolder(dirname(path))
    this.folders.add(path)
  }

  private refuseWithoutRoom(size: number): void {
    const { bavail, blocks, bsize } = statfsSync(this.root)
    if (bavail * bsize - size < Math.min(RESERVE_BYTES, RESERVE_SHARE * blocks * bsize)) throw diskFull()
  }
}

async function writeWhole(file: number, body: AsyncIterable<Uint8Array>, size: number): Promise<void> {
  let written = 0
  for await (const chunk of body) {
    written += chunk.byteLength
    // More than was declared is refused before it takes room.
    if (written > size) break
    // Near the end of a disk a write takes a part only; the next one then says why.
    for (let at = 0; at < chunk.byteLength; ) {
      const count = chunk.byteLength <= SMALL_BYTES ? writeSync(file, chunk, at) : (await later.write(file, chunk, at)).bytesWritten
      if (count === 0) throw diskFull()
      at += count
    }
  }
  if (written !== size) throw new AppError('malformed', 'length_mismatch', `Expected ${size} bytes but received ${written}. Nothing was stored; send the file again.`)
}

// A new name is safe only when its folder is.
async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r')
  try {
    await later.fsync(folder)
  } finally {
    closeSync(folder)
  }
}

// Keys are short and of our own making (see keys.ts); the encoding only has to be reversible and free of separators.
function encodeKey(key: string): string {
  return encodeURIComponent(key)
}

function decodeKey(name: string): string {
  return decodeURIComponent(name)
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw translate(error)
}

function translate(cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(cause)
  if (code && /^E[A-Z]+$/.test(code))
    return new AppError('unavailable', 'storage_unavailable', 'The file storage cannot be used right now. Try again in a moment.', { cause, retryAfterS: 5 })
  return cause
}

function diskFull(cause?: unknown): AppError {
  return new AppError('disk_full', 'disk_full', 'The disk for files is full. Nothing was changed; ask an admin to make room.', { cause, retryAfterS: 5 })
}
