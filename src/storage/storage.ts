// The port to object storage: whole objects under string keys. Adapters: filesystem, s3.

export interface StoredObject {
  key: string
  size: number
  storedAt: Date
}

/** An object whose bytes are in memory. */
export interface SmallObject {
  key: string
  bytes: Uint8Array
}

/** Half-open byte range [start, end). */
export interface ByteRange {
  start: number
  end: number
}

export interface Storage {
  readonly kind: 'filesystem' | 's3'
  /**
   * Stores a stream as one whole object: it is there completely or not at all, and once this resolves it outlives a power
   * cut. Throws AppError `unavailable` or `disk_full`.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, size: number): Promise<void>
  /**
   * Stores several small objects, each as `put` does, with one wait for the disk. Resolves with what became of each, in
   * their order; never rejects. The bytes may be given to something else once it has resolved.
   */
  putSmall(objects: readonly SmallObject[]): Promise<PromiseSettledResult<void>[]>
  /** The bytes of an object or of a part of it; undefined when there is none. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array> | undefined>
  /** Removes objects; missing ones are no error. */
  delete(keys: string[]): Promise<void>
  list(prefix: string): AsyncIterable<StoredObject>
  /** Removes what a killed process left half-written, never what may still be under way. */
  sweep(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
