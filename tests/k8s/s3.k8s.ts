// Files in a real S3-compatible store, spoken to over plain HTTP as many of them are.
import { afterAll, expect, test } from 'bun:test'
import { randomToken } from '../../src/lib/crypto.ts'
import { AppError } from '../../src/lib/errors.ts'
import { S3Storage } from '../../src/storage/s3.ts'
import { given } from './given.ts'

const settings = {
  endpoint: given('S3_ENDPOINT'),
  region: process.env.S3_REGION ?? 'us-east-1',
  bucket: given('S3_BUCKET'),
  prefix: `test-${randomToken(8)}/`,
  accessKeyId: given('S3_ACCESS_KEY_ID'),
  secretAccessKey: given('S3_SECRET_ACCESS_KEY'),
}
const storage = new S3Storage(settings)
afterAll(async () => {
  const keys = await Array.fromAsync(storage.list(''))
  await storage.delete(keys.map(({ key }) => key))
  await storage[Symbol.asyncDispose]()
})

async function* bytes(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts
}
const some = (size: number) => Uint8Array.from({ length: size }, (_, at) => at % 251)
const readAll = async (key: string) => {
  const stream = await storage.get(key)
  return stream && new Uint8Array(await new Response(stream).arrayBuffer())
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  )

test.each([0, 1, 15, 100_000, 3_000_000])('what was put is read back whole and in part, with %i bytes', async (size) => {
  const content = some(size)
  await storage.put(`output/1/${size} ü+&?`, bytes(content.subarray(0, size / 3), content.subarray(size / 3)), size)
  expect(Buffer.compare(Buffer.from((await readAll(`output/1/${size} ü+&?`)) ?? []), Buffer.from(content))).toBe(0)
  if (size > 9) expect(await new Response(await storage.get(`output/1/${size} ü+&?`, { start: 3, end: 7 })).bytes()).toEqual(content.slice(3, 7))
  expect(await Array.fromAsync(storage.list(`output/1/${size} `))).toMatchObject([{ key: `output/1/${size} ü+&?`, size }])
})

test('an object is gone after its removal, and what never was is no error', async () => {
  await storage.put('gone', bytes(some(3)), 3)
  await storage.delete(['gone', 'never there'])
  expect(await storage.get('gone')).toBeUndefined()
})

test.each([
  ['fewer', 20, 10],
  ['more', 5, 10],
  ['fewer, of a large body', 2_000_000, 1_000_000],
  ['more, of a large body', 1_000_000, 2_000_000],
])('a body of %s bytes than declared leaves nothing behind', async (_what, declared, sent) => {
  expect(await codeOf(storage.put('wrong', bytes(some(sent / 2), some(sent / 2)), declared))).toBe('length_mismatch')
  expect(await storage.get('wrong')).toBeUndefined()
})

test.each([4, 2_000_000])('a body of %i bytes that breaks off leaves the older object as it was', async (size) => {
  await storage.put('kept', bytes(some(3)), 3)
  async function* broken(): AsyncIterable<Uint8Array> {
    yield some(size / 2)
    throw new Error('the sender is gone')
  }
  expect(await codeOf(storage.put('kept', broken(), size))).toContain('the sender is gone')
  expect(await readAll('kept')).toEqual(some(3))
})

test('small objects are stored together, and what became of each is told in their order', async () => {
  const objects = Array.from({ length: 40 }, (_, at) => ({ key: `pack/${at}`, bytes: some(at) }))
  const results = await storage.putSmall([...objects, { key: 'x'.repeat(2000), bytes: some(1) }])
  expect(results.map(({ status }) => String(status))).toEqual([...objects.map(() => 'fulfilled'), 'rejected'])
  for (const { key, bytes: content } of objects) expect(await readAll(key)).toEqual(content)
  expect(await storage.putSmall([])).toEqual([])
})

test('a list of more than one page is whole', async () => {
  const keys = Array.from({ length: 1100 }, (_, at) => `many/${String(at).padStart(4, '0')}`)
  for (let at = 0; at < keys.length; at += 50) await Promise.all(keys.slice(at, at + 50).map((key) => storage.put(key, bytes(some(1)), 1)))
  expect((await Array.fromAsync(storage.list('many/'))).map(({ key }) => key).sort()).toEqual(keys)
})

test('a wrong key, a missing bucket and a store that is away say what to do', async () => {
  await using stranger = new S3Storage({ ...settings, secretAccessKey: 'wrong' })
  expect(await codeOf(stranger.put('x', bytes(some(1)), 1))).toBe('storage_refused')
  await using lost = new S3Storage({ ...settings, bucket: 'sac-no-such-bucket' })
  expect(await codeOf(lost.put('x', bytes(some(1)), 1))).toBe('storage_refused')
  await using away = new S3Storage({ ...settings, endpoint: 'http://127.0.0.1:1' })
  expect(await codeOf(away.put('x', bytes(some(1)), 1))).toBe('storage_unavailable')
})
