// Keeps one collection of the cluster in view: lists it, watches it from there, and begins again after any failure.
import type { Logger } from '../../lib/logger.ts'
import { pause } from '../../lib/pause.ts'
import { type ApiObject, ApiRefusal, type KubeClient, WatchSilent } from './client.ts'

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5000
// The API ends a watch then; another one goes on where it was.
const WATCH_S = 290
const GONE = 410
const TOO_MANY = 429

/** Told what is there. After `replace` nothing of before counts. */
export interface CollectionSink<T> {
  replace(items: T[]): void
  put(item: T): void
  gone(item: T): void
}

interface Options<T> {
  client: KubeClient
  path: string
  /** Label or field selectors. */
  query?: Record<string, string>
  sink: CollectionSink<T>
  logger: Logger
}

/** The loop. It holds no objects itself; what is kept of them is its sink's choice. */
export class CollectionWatch<T extends ApiObject> {
  private readonly ending = new AbortController()
  private readonly firstLook = Promise.withResolvers<void>()
  private version?: string
  private lostSince?: number
  /** When the API last said anything about the collection. */
  private heardAt = performance.now()

  constructor(private readonly options: Options<T>) {
    // Nobody may be waiting when it is disposed.
    this.firstLook.promise.catch(() => {})
    void this.run()
  }

  /** Resolves when the collection has been seen once. */
  get seen(): Promise<void> {
    return this.firstLook.promise
  }

  /** Milliseconds for which the view has been out of touch; 0 while it is live. */
  get staleMs(): number {
    return this.lostSince === undefined ? 0 : performance.now() - this.lostSince
  }

  /** Whether the collection has been seen, and its changes are heard. */
  get isInTouch(): boolean {
    return this.version !== undefined && this.lostSince === undefined
  }

  [Symbol.dispose](): void {
    this.ending.abort()
    this.firstLook.reject(new Error('the watch has ended'))
  }

  private async run(): Promise<void> {
    const { signal } = this.ending
    let wait = 0
    while (!signal.aborted) {
      const began = performance.now()
      const trouble = await this.turn().catch((error: unknown) => error)
      if (signal.aborted) return
      if (trouble instanceof WatchSilent) {
        // Whether the other end is still there shows when it is asked again. Nothing is known since it was last heard.
        this.lostSince ??= this.heardAt
        continue
      }
      // Old versions are forgotten by the API: everything is listed again at once.
      if (trouble instanceof ApiRefusal && trouble.status === GONE) {
        this.version = undefined
        if (wait === 0 && performance.now() - began > FIRST_WAIT_MS) continue
      } else if (trouble !== undefined) {
        if (this.lostSince === undefined) this.options.logger.warn('a view of the cluster is lost and taken up again', { path: this.options.path, error: trouble })
        this.lostSince ??= this.heardAt
        if (trouble instanceof ApiRefusal && trouble.status !== TOO_MANY) this.version = undefined
      }
      // What held for a while is no reason to wait; what ends at once is, even when it ends in good order.
      const held = performance.now() - began > LONGEST_WAIT_MS
      wait = held ? 0 : Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, wait * 2))
      if (wait > 0) await pause(wait * (0.7 + Math.random() * 0.6), signal)
    }
  }

  private async turn(): Promise<void> {
    if (this.version === undefined) await this.look()
    await this.follow()
  }

  private async look(): Promise<void> {
    const { client, path, query, sink } = this.options
    const { items, resourceVersion } = await client.list<T>(path, query)
    if (this.ending.signal.aborted) return
    sink.replace(items)
    this.version = resourceVersion
    this.isLive()
    this.firstLook.resolve()
  }

  private async follow(): Promise<void> {
    const { client, path, query, sink } = this.options
    const watch = client.watch<T>(path, { ...query, resourceVersion: this.version, timeoutSeconds: WATCH_S }, this.ending.signal, () => this.isLive())
    for await (const { type, object } of watch) {
      if (this.ending.signal.aborted) return
      this.heardAt = performance.now()
      if (type === 'ERROR') {
        const { code = 0, reason = '', message = '' } = object as { code?: number; reason?: string; message?: string }
        throw new ApiRefusal(code, reason, message)
      }
      this.version = object.metadata.resourceVersion ?? this.version
      if (type === 'DELETED') sink.gone(object)
      else if (type !== 'BOOKMARK') sink.put(object)
    }
  }

  private isLive(): void {
    this.heardAt = performance.now()
    this.lostSince = undefined
  }
}
