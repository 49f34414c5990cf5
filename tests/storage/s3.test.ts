// What needs no store; a real one is in tests/k8s/s3.k8s.ts.
import { expect, test } from 'bun:test'
import { S3Storage } from '../../src/storage/s3.ts'

test('a store that takes requests and never answers is given up', async () => {
  using store = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  await using storage = new S3Storage({
    endpoint: `http://127.0.0.1:${store.port}`,
    region: 'us-east-1',
    bucket: 'sac',
    prefix: '',
    accessKeyId: 'id',
    secretAccessKey: 'key',
    silenceMs: 200,
  })
  async function* body(): AsyncIterable<Uint8Array> {
    yield new Uint8Array(3)
  }
  const answers = await Promise.allSettled([storage.put('key', body(), 3), storage.get('key'), storage.delete(['key']), Array.fromAsync(storage.list(''))])
  for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable' } })
})
