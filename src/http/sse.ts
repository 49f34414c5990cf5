// Server-sent events: one raw stream per listener with a bounded queue, one heartbeat clock, and an end for ended logins.

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
const RETRY = encoder.encode('retry: 2000\n\n')
const MAX_QUEUED_BYTES = 256 * 1024
const RESYNC = encodeEvent({ event: 'resync', data: '{}' })

/** Wire form of an event; every line of the data becomes a `data:` line, so that HTML arrives whole. */
export function encodeEvent({ id, event, data }: ServerEvent): Uint8Array {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`)
  return encoder.encode(`${head}${lines.join('')}\n`)
}

interface OpenStream extends EventSink {
  loginId: string
  beat(): void
}

/** Every open event stream of this process. */
export class EventStreams {
  private readonly streams = new Set<OpenStream>()
  private readonly clock = setInterval(() => {
    for (const stream of this.streams) stream.beat()
  }, HEARTBEAT_MS)

  constructor() {
    this.clock.unref?.()
  }

  get size(): number {
    return this.streams.size
  }

  /** Logins that have a stream open. */
  loginIds(): string[] {
    return [...new Set([...this.streams].map((stream) => stream.loginId))]
  }

  /** Ends the streams of these logins; the page then finds out that it is signed out. */
  endLogins(loginIds: readonly string[]): void {
    for (const stream of this.streams) if (loginIds.includes(stream.loginId)) stream.close()
  }

  /**
   * Answers a request with a stream. `open` subscribes and returns how to unsubscribe; it is called once, and the
   * way back is called once, whatever ends the stream.
   */
  answer(request: Request, loginId: string, open: (sink: EventSink) => () => void): Response {
    const { streams } = this
    let off: (() => void) | undefined
    let controller: ReadableStreamDefaultController<Uint8Array>
    const stream: OpenStream = {
      loginId,
      closed: false,
      send(bytes) {
        if (this.closed) return
        if ((controller.desiredSize ?? 0) < -MAX_QUEUED_BYTES) {
          controller.enqueue(RESYNC)
          return this.close()
        }
        controller.enqueue(bytes)
      },
      beat() {
        this.send(HEARTBEAT)
      },
      close() {
        end()
        try {
          controller.close()
        } catch {
          // @NOTE the peer has gone already; there is nothing left to close.
        }
      },
    }
    const end = () => {
      if (stream.closed) return
      Object.assign(stream, { closed: true })
      streams.delete(stream)
      off?.()
    }
    request.signal.addEventListener('abort', end)
    const body = new ReadableStream<Uint8Array>(
      {
        start(opened) {
          controller = opened
          streams.add(stream)
          opened.enqueue(RETRY)
          off = open(stream)
          if (stream.closed) off()
        },
        cancel: end,
      },
      { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
    )
    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' } })
  }

  /** Ends every stream; clients come back by themselves. */
  [Symbol.dispose](): void {
    clearInterval(this.clock)
    for (const stream of [...this.streams]) stream.close()
  }
}
