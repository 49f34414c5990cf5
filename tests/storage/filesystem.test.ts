import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../src/lib/errors.ts'
import { FilesystemStorage } from '../../src/storage/filesystem.ts'
import { smallDisk } from '../support/disk.ts'

const made: string[] = []
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sac-storage-'))
  made.push(folder)
  return folder
}

async function* bytes(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts
}

const some = (size: number) => new Uint8Array(size).fill(7)
const readAll = async (storage: FilesystemStorage, key: string) => {
  const stream = await storage.get(key)
  return stream && new Uint8Array(await new Response(stream).arrayBuffer())
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  )

test('what was put is read back whole and in part, and is gone after its removal', async () => {
  const storage = new FilesystemStorage(newFolder())
  await storage.put('output/1/a', bytes(some(10), some(5)), 15)
  expect(await readAll(storage, 'output/1/a')).toEqual(some(15))
  expect(await new Response(await storage.get('output/1/a', { start: 3, end: 7 })).bytes()).toEqual(some(4))
  expect(await Array.fromAsync(storage.list('output/1/'))).toMatchObject([{ key: 'output/1/a', size: 15 }])
  expect(await Array.fromAsync(storage.list('output/2/'))).toEqual([])
  await storage.delete(['output/1/a', 'never there'])
  expect(await storage.get('output/1/a')).toBeUndefined()
})

test.each([
  ['fewer', 20],
  ['more', 5],
])('a body of %s bytes than declared leaves nothing behind', async (_what, declared) => {
  const root = newFolder()
  const storage = new FilesystemStorage(root)
  expect(await codeOf(storage.put('key', bytes(some(10)), declared))).toBe('length_mismatch')
  expect(await storage.get('key')).toBeUndefined()
  expect(readdirSync(join(root, 'tmp'))).toEqual([])
})

test('a body that breaks off leaves nothing behind, and an older object stays', async () => {
  const root = newFolder()
  const storage = new FilesystemStorage(root)
  await storage.put('key', bytes(some(3)), 3)
  async function* broken(): AsyncIterable<Uint8Array> {
    yield some(2)
    throw new Error('the sender is gone')
  }
  expect(await codeOf(storage.put('key', broken(), 4))).toContain('the sender is gone')
  expect(await readAll(storage, 'key')).toEqual(some(3))
  expect(readdirSync(join(root, 'tmp'))).toEqual([])
})

test.each(['../../escape', '..', 'a/../../b', '/etc/passwd', 'a\0b'])('the key %j stays inside the folder', async (key) => {
  const root = newFolder()
  mkdirSync(join(root, 'inside'))
  const storage = new FilesystemStorage(join(root, 'inside'))
  await storage.put(key, bytes(some(1)), 1).catch(() => {})
  expect(readdirSync(root)).toEqual(['inside'])
})

test('small objects that are put together are each there, and one that cannot be put spoils none', async () => {
  const root = newFolder()
  const storage = new FilesystemStorage(root)
  const objects = Array.from({ length: 40 }, (_, at) => ({ key: `output/1/${at}`, bytes: some(at) }))
  const results = await storage.putSmall([...objects, { key: 'x'.repeat(300), bytes: some(1) }])
  expect(results.map(({ status }) => status)).toEqual([...objects.map(() => 'fulfilled' as const), 'rejected'])
  expect(results.at(-1)).toMatchObject({ reason: { code: 'storage_unavailable' } })
  for (const { key, bytes } of objects) expect(await readAll(storage, key), key).toEqual(bytes)
  expect(readdirSync(join(root, 'tmp'))).toEqual([])
  expect(await storage.putSmall([])).toEqual([])
})

test('small objects find their folder again that was removed while the portal runs', async () => {
  const root = newFolder()
  const storage = new FilesystemStorage(join(root, 'storage'))
  const two = [1, 2].map((size) => ({ key: `key ${size}`, bytes: some(size) }))
  await storage.putSmall(two)
  rmSync(join(root, 'storage'), { recursive: true })
  expect(await storage.putSmall(two)).toMatchObject([{ reason: { code: 'storage_unavailable' } }, { reason: { code: 'storage_unavailable' } }])
  expect((await storage.putSmall(two)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
  expect(await readAll(storage, 'key 2')).toEqual(some(2))
})

test('a folder that was removed or replaced while the portal runs is made again', async () => {
  const root = newFolder()
  const storage = new FilesystemStorage(join(root, 'storage'))
  await storage.put('key', bytes(some(1)), 1)
  renameSync(join(root, 'storage'), join(root, 'away'))
  expect(await codeOf(storage.put('key', bytes(some(2)), 2))).toBe('storage_unavailable')
  await storage.put('key', bytes(some(2)), 2)
  expect(await readAll(storage, 'key')).toEqual(some(2))
})

test('the sweep removes what a killed process left half-written, and no young file', async () => {
  const root = newFolder()
  const storage = new FilesystemStorage(root)
  await storage.put('key', bytes(some(1)), 1)
  for (const name of ['old', 'young']) writeFileSync(join(root, 'tmp', name), 'half')
  utimesSync(join(root, 'tmp', 'old'), new Date(0), new Date(0))
  await storage.sweep()
  expect(readdirSync(join(root, 'tmp'))).toEqual(['young'])
})

const disk = smallDisk('16m')
afterAll(() => disk?.[Symbol.dispose]())

test.skipIf(!disk)('on a full disk a put is refused with its reason, nothing half-written stays, and removals make room again', async () => {
  const root = disk?.folder ?? ''
  const storage = new FilesystemStorage(join(root, 'storage'))
  await storage.put('kept', bytes(some(1_000_000)), 1_000_000)
  // The declared size is known to be too much.
  expect(await codeOf(storage.put('huge', bytes(some(10)), 1e9))).toBe('disk_full')
  // Others fill the disk while bytes arrive, to within a part of one write.
  async function* racing(): AsyncIterable<Uint8Array> {
    yield some(100_000)
    disk?.fill(20_000)
    yield some(300_000)
    disk?.empty(12_000)
    yield some(100_000)
  }
  expect(await codeOf(storage.put('raced', racing(), 500_000))).toBe('disk_full')
  expect(readdirSync(join(root, 'storage', 'tmp'))).toEqual([])
  expect(await storage.get('raced')).toBeUndefined()
  disk?.fill(0)
  expect(await readAll(storage, 'kept')).toEqual(some(1_000_000))
  await storage.delete(['kept'])
  disk?.empty()
  await storage.put('after', bytes(some(1_000_000)), 1_000_000)
  expect(await readAll(storage, 'after')).toEqual(some(1_000_000))
})
