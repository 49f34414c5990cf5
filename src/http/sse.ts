// Server-sent events: one raw stream per listener with a bounded queue, one heartbeat clock, and an end for ended logins.
import { AppError } from '../lib/errors.ts'

export interface ServerEvent {
  id?: string
  event?: string
  data: string
}

/** One listener. Sending never blocks; a listener that does not read is told to resync and let go. */
export interface EventSink {
  /** Sends an encoded event; share the bytes between listeners. */
  send(bytes: Uint8Array): void
  close(): void
  readonly closed: boolean
}

const encoder = new TextEncoder()
const HEARTBEAT = encoder.encode(': hb\n\n')
const HEARTBEAT_MS = 15_000
// Ten thousand heartbeats at one moment would hold up everything else: each stream has its own part of the interval.
const SLOTS = 30
const RETRY = encoder.encode('retry: 2000\n\n')
const MAX_QUEUED_BYTES = 256 * 1024
/** Open streams of one login: more than a person's tabs, too few to take the portal's memory. */
export const MAX_PER_LOGIN = 100
const RESYNC = encodeEvent({ event: 'resync', data: '{}' })

/** Wire form of an event; every line of the data becomes a `data:` line, so that HTML arrives whole. */
export function encodeEvent({ id, event, data }: ServerEvent): Uint8Array {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`)
  return encoder.encode(`${head}${lines.join('')}\n`)
}

const STRATEGY: QueuingStrategy<Uint8Array> = { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 }

/** Open streams by login. */
class StreamSet {
  readonly byLogin = new Map<string, Set<OpenStream>>()

  add(stream: OpenStream): void {
    const own = this.byLogin.get(stream.loginId) ?? new Set()
    this.byLogin.set(stream.loginId, own.add(stream))
  }

  delete(stream: OpenStream): void {
    const own = this.byLogin.get(stream.loginId)
    own?.delete(stream)
    if (own?.size === 0) this.byLogin.delete(stream.loginId)
  }

  *all(): Iterable<OpenStream> {
    for (const own of [...this.byLogin.values()]) yield* [...own]
  }
}

let lastSlot = 0

// One object is the source of the stream and the sink of its events, and nothing of it keeps the request alive: there may be
// ten thousand of them.
class OpenStream implements EventSink, UnderlyingDefaultSource<Uint8Array> {
  closed = false
  readonly slot = ++lastSlot % SLOTS
  private controller?: ReadableStreamDefaultController<Uint8Array>
  private off?: () => void

  constructor(
    readonly loginId: string,
    private readonly streams: StreamSet,
  ) {}

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.controller = controller
    this.streams.add(this)
    controller.enqueue(RETRY)
  }

  /** The peer has gone. */
  cancel(): void {
    if (this.closed) return
    this.closed = true
    this.streams.delete(this)
    this.off?.()
    this.off = undefined
  }

  opened(off: () => void): void {
    if (this.closed) off()
    else this.off = off
  }

  send(bytes: Uint8Array): void {
    if (this.closed) return
    if ((this.controller?.desiredSize ?? 0) < -MAX_QUEUED_BYTES) {
      this.controller?.enqueue(RESYNC)
      return this.close()
    }
    this.controller?.enqueue(bytes)
  }

  close(): void {
    this.cancel()
    try {
      this.controller?.close()
    } catch {
      // @NOTE the peer has gone already; there is nothing left to close.
    }
  }
}

/** Every open event stream of this process. */
export class EventStreams {
  private readonly streams = new StreamSet()
  private readonly clock: ReturnType<typeof setInterval>

  /** @param heartbeatMs how often each stream says that it lives. */
  constructor(heartbeatMs = HEARTBEAT_MS) {
    let slot = 0
    this.clock = setInterval(() => {
      slot = (slot + 1) % SLOTS
      for (const stream of this.streams.all()) if (stream.slot === slot) stream.send(HEARTBEAT)
    }, heartbeatMs / SLOTS)
    this.clock.unref?.()
  }

  get size(): number {
    return [...this.streams.byLogin.values()].reduce((sum, own) => sum + own.size, 0)
  }

  /** Every open stream. */
  each(): Iterable<EventSink> {
    return this.streams.all()
  }

  /** Logins that have a stream open. */
  loginIds(): string[] {
    return [...this.streams.byLogin.keys()]
  }

  /** Ends the streams of these logins; the page then finds out that it is signed out. */
  endLogins(loginIds: readonly string[]): void {
    for (const loginId of loginIds) for (const stream of [...(this.streams.byLogin.get(loginId) ?? [])]) stream.close()
  }

  /**
   * Answers with a stream. `open` subscribes and returns how to unsubscribe; it is called once, and the way back is called
   * once, whatever ends the stream. Throws `too_many` when this login has too many streams open.
   */
  answer(loginId: string, open: (sink: EventSink) => () => void): Response {
    if ((this.streams.byLogin.get(loginId)?.size ?? 0) >= MAX_PER_LOGIN) {
      throw new AppError('too_many', 'too_many_streams', 'This sign-in has too many pages open. Close some of them.', { retryAfterS: 10 })
    }
    const stream = new OpenStream(loginId, this.streams)
    const body = new ReadableStream<Uint8Array>(stream, STRATEGY)
    stream.opened(open(stream))
    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' } })
  }

  /** Ends every stream; clients come back by themselves. */
  [Symbol.dispose](): void {
    clearInterval(this.clock)
    for (const stream of this.streams.all()) stream.close()
  }
}
