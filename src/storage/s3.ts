// Objects in an S3-compatible store: one request per object, so that it is there completely or not at all.
import { Readable } from 'node:stream'
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { AppError } from '../lib/errors.ts'
import type { ByteRange, SmallObject, Storage, StoredObject } from './storage.ts'

export interface S3Settings {
  /** Undefined is AWS itself. */
  endpoint?: string
  region: string
  bucket: string
  /** In front of every key; ends with a slash or is empty. */
  prefix: string
  accessKeyId: string
  secretAccessKey: string
  /** How long a connection may say nothing before it is given up. */
  silenceMs?: number
}

// A body in memory can be sent again when a request fails on its way.
const SMALL_BYTES = 256 * 1024
const CONNECT_MS = 3000
const SILENCE_MS = 15_000
const ATTEMPTS = 2
const REQUESTS_AT_ONCE = 8
const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** Storage in a bucket. */
export class S3Storage implements Storage {
  readonly kind = 's3'
  private readonly client: S3Client

  constructor(private readonly settings: S3Settings) {
    const { endpoint, region, accessKeyId, secretAccessKey, silenceMs = SILENCE_MS } = settings
    this.client = new S3Client({
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      // Many compatible stores have no names for buckets, and store newer checksums as if they were content.
      forcePathStyle: endpoint !== undefined,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // What it would write to the console comes back as an error, too.
      logger: SILENT,
      maxAttempts: ATTEMPTS,
      // Not the duration of a request, which depends on its size.
      requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: silenceMs },
    })
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    const exact = exactly(body, size)
    const stop = new AbortController()
    const source = size <= SMALL_BYTES ? await collected(exact) : Readable.from(untilBroken(exact, stop), { objectMode: false })
    try {
      await this.client.send(new PutObjectCommand({ ...this.at(key), Body: source, ContentLength: size }), { abortSignal: stop.signal })
    } catch (cause) {
      // What the sender did wrong is told to the sender, whatever became of the request.
      throw stop.signal.aborted ? stop.signal.reason : translate(cause)
    }
  }

  putSmall(objects: readonly SmallObject[]): Promise<PromiseSettledResult<void>[]> {
    return inTurns(objects, async ({ key, bytes }) => {
      await this.client.send(new PutObjectCommand({ ...this.at(key), Body: bytes, ContentLength: bytes.byteLength })).catch((cause: unknown) => {
        throw translate(cause)
      })
    })
  }

  async get(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array> | undefined> {
    if (range && range.end <= range.start) return new Blob([]).stream()
    try {
      const { Body } = await this.client.send(new GetObjectCommand({ ...this.at(key), Range: range && `bytes=${range.start}-${range.end - 1}` }))
      return Body?.transformToWebStream() as ReadableStream<Uint8Array> | undefined
    } catch (cause) {
      if (cause instanceof S3ServiceException && (cause.name === 'NoSuchKey' || cause.name === 'NotFound')) return undefined
      throw translate(cause)
    }
  }

  async delete(keys: string[]): Promise<void> {
    // One by one: not every compatible store removes many with one request.
    const results = await inTurns(keys, (key) => this.client.send(new DeleteObjectCommand(this.at(key))))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw translate(failed.reason)
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const { bucket, prefix: ours } = this.settings
    let next: string | undefined
    do {
      const page = await this.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: ours + prefix, ContinuationToken: next })).catch((cause: unknown) => {
        throw translate(cause)
      })
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key.slice(ours.length), size: Size ?? 0, storedAt: LastModified ?? new Date(0) }
      }
      next = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (next !== undefined)
  }

  /** Nothing to do: an object is there whole or not at all. */
  async sweep(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy()
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.settings.bucket, Key: this.settings.prefix + key }
  }
}

/** Passes a body on; throws when it is not of the declared size, before its last byte is out. */
async function* exactly(body: AsyncIterable<Uint8Array>, size: number): AsyncIterable<Uint8Array> {
  let received = 0
  let held: Uint8Array | undefined
  for await (const chunk of body) {
    received += chunk.byteLength
    if (received > size) break
    if (held) yield held
    held = chunk
  }
  if (received !== size) throw new AppError('malformed', 'length_mismatch', `Expected ${size} bytes but received ${received}. Nothing was stored; send the file again.`)
  if (held) yield held
}

/** Passes a body on; a failure ends the request. A stream that fails by itself would end the process. */
async function* untilBroken(body: AsyncIterable<Uint8Array>, stop: AbortController): AsyncIterable<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    stop.abort(error)
  }
}

/** Does all of it, some at a time; what became of each, in their order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = []
  const waiting = items.entries()
  const worker = async () => {
    for (const [at, item] of waiting) [results[at]] = (await Promise.allSettled([work(item)])) as [PromiseSettledResult<R>]
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, worker))
  return results
}

async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(body))
}

// The store understood, and will say the same again: somebody has to change something.
const REFUSALS = new Set([
  'NoSuchBucket',
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'RequestTimeTooSkewed',
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
])

function translate(cause: unknown): unknown {
  if (cause instanceof AppError) return cause
  if (cause instanceof S3ServiceException && REFUSALS.has(cause.name))
    return new AppError('unavailable', 'storage_refused', `The file storage refuses the portal (${cause.name}). Ask an admin to check its bucket, keys and clock.`, {
      cause,
      retryAfterS: 30,
    })
  return new AppError('unavailable', 'storage_unavailable', 'The file storage cannot be used right now. Try again in a moment.', { cause, retryAfterS: 5 })
}
