// Objects as files below one folder: written to a temporary name, synced, then renamed into place.
import { createHash } from 'node:crypto'
import { closeSync, fsync, openSync, renameSync, rmSync, statfsSync, write, writeSync } from 'node:fs'
import { mkdir, readdir, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { randomToken } from '../lib/crypto.ts'
import { AppError } from '../lib/errors.ts'
import type { ByteRange, SmallObject, Storage, StoredObject } from './storage.ts'

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
    const { file, folder } = await this.place(key, body, size)
    await this.sync(file, syncFolder(folder))
  }

  async putSmall(objects: readonly SmallObject[]): Promise<PromiseSettledResult<void>[]> {
    const targets = objects.map(({ key }) => this.file(key))
    try {
      for (const folder of [join(this.root, 'tmp'), ...targets.map(dirname)]) if (!this.folders.has(folder)) await this.folder(folder)
    } catch (cause) {
      const reason = this.failed(cause)
      return objects.map(() => ({ status: 'rejected', reason }))
    }
    const placed = objects.map(({ bytes }, at) => this.placeNow(targets[at] ?? '', bytes))
    // All names are there now, so each folder is synced once for all of its names.
    const folders = new Map<string, Promise<void>>()
    return Promise.allSettled(
      placed.map((place, at) => {
        if ('reason' in place) return Promise.reject(place.reason)
        const folder = dirname(targets[at] ?? '')
        const synced = folders.get(folder) ?? syncFolder(folder)
        folders.set(folder, synced)
        return this.sync(place.file, synced)
      }),
    )
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

  /** Writes an object under its name and leaves it open: it is safe only after `sync`. */
  private async place(key: string, body: AsyncIterable<Uint8Array>, size: number): Promise<{ file: number; folder: string }> {
    const target = this.file(key)
    const folder = dirname(target)
    const temporary = join(this.root, 'tmp', randomToken(12))
    let file: number | undefined
    try {
      await this.folder(join(this.root, 'tmp'))
      await this.folder(folder)
      this.refuseWithoutRoom(size)
      file = openSync(temporary, 'wx', 0o600)
      await writeWhole(file, body, size)
      renameSync(temporary, target)
      return { file, folder }
    } catch (cause) {
      if (file !== undefined) closeSync(file)
      await unlink(temporary).catch(() => {})
      throw this.failed(cause)
    }
  }

  // As `place`, for bytes that go into the system's memory at once.
  private placeNow(target: string, bytes: Uint8Array): { file: number } | { reason: unknown } {
    const temporary = join(this.root, 'tmp', randomToken(12))
    let file: number | undefined
    try {
      this.refuseWithoutRoom(bytes.byteLength)
      file = openSync(temporary, 'wx', 0o600)
      for (let at = 0; at < bytes.byteLength; ) at += moved(writeSync(file, bytes, at))
      renameSync(temporary, target)
      return { file }
    } catch (cause) {
      if (file !== undefined) closeSync(file)
      rmSync(temporary, { force: true })
      return { reason: this.failed(cause) }
    }
  }

  // Content and name reach the disk together, with one wait. Nobody knows this key before both have.
  private async sync(file: number, folderSynced: Promise<void>): Promise<void> {
    // Both must have ended before the number of this file may become that of another one.
    const ends = await Promise.allSettled([later.fsync(file), folderSynced])
    closeSync(file)
    for (const end of ends) if (end.status === 'rejected') throw this.failed(end.reason)
  }

  // A folder that somebody removed, or another disk in its place: look again the next time.
  private failed(cause: unknown): unknown {
    this.folders.clear()
    return translate(cause)
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
    for (let at = 0; at < chunk.byteLength; ) {
      at += moved(chunk.byteLength <= SMALL_BYTES ? writeSync(file, chunk, at) : (await later.write(file, chunk, at)).bytesWritten)
    }
  }
  if (written !== size) throw new AppError('malformed', 'length_mismatch', `Expected ${size} bytes but received ${written}. Nothing was stored; send the file again.`)
}

// Near the end of a disk a write takes a part only; the next one then says why.
function moved(count: number): number {
  if (count === 0) throw diskFull()
  return count
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
