// Upstream over ttyd's WebSocket (ttyd 1.7): subprotocol `tty`, its credential twice, held back by its socket.
import { AppError } from '../lib/errors.ts'
import { free } from '../lib/free.ts'
import { INPUT, OUTPUT, RESIZE } from './frames.ts'
import type { TerminalSize, Upstream, UpstreamSink } from './upstream.ts'

const REPAINT_MS = 120
const NORMAL_END = 1000
// A machine that is gone closes nothing: two questions without an answer end the connection.
const PING_MS = 15_000
const encoder = new TextEncoder()

// Bun's client takes headers and options that the DOM's type does not know.
type BunWebSocket = WebSocket & { pause(): void; resume(): void; terminate(): void; ping(): void }
const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; headers: Record<string, string>; perMessageDeflate: boolean }) => BunWebSocket

/** Connects to ttyd. Rejects with AppError `unavailable` when it refuses or does not answer. */
export function openTtyd(url: string, credential: string, size: TerminalSize, sink: UpstreamSink, timeoutMs: number): Promise<Upstream> {
  const authToken = Buffer.from(credential).toString('base64')
  const { promise, resolve, reject } = Promise.withResolvers<Upstream>()
  // Compression towards the upstream would cost a third of the rate and three times the CPU.
  const socket = new Socket(url, { protocols: ['tty'], headers: { authorization: `Basic ${authToken}` }, perMessageDeflate: false })
  socket.binaryType = 'arraybuffer'
  const upstream = new TtydConnection(socket, size, sink)
  const refuse = (detail: string) => {
    upstream.close()
    const cause = new Error(detail)
    reject(new AppError('unavailable', 'terminal_unreachable', 'The terminal of this agent cannot be reached. Restart the agent if it stays so.', { cause }))
  }
  const timer = setTimeout(() => refuse('timed out'), timeoutMs)
  let open = false
  socket.onopen = () => {
    clearTimeout(timer)
    open = true
    upstream.watch()
    socket.send(encoder.encode(JSON.stringify({ AuthToken: authToken, columns: size.columns, rows: size.rows })))
    upstream.redraw()
    resolve(upstream)
  }
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') upstream.receive(new Uint8Array(data as ArrayBuffer))
  }
  socket.onclose = ({ code, reason }) => {
    clearTimeout(timer)
    const detail = `ttyd closed with ${code} ${reason}`
    if (!open) return refuse(detail)
    if (upstream.over) return
    upstream.close()
    sink.closed(code === NORMAL_END ? 'ended' : 'lost', detail)
  }
  return promise
}

class TtydConnection implements Upstream {
  over = false
  private paused = false
  private late: Uint8Array[] = []
  private answered = true
  private pings?: ReturnType<typeof setInterval>
  private repaint?: ReturnType<typeof setTimeout>

  constructor(
    private readonly socket: BunWebSocket,
    private size: TerminalSize,
    private readonly sink: UpstreamSink,
  ) {}

  /** Asks for a sign of life from now on. */
  watch(): void {
    this.socket.addEventListener('pong', () => {
      this.answered = true
    })
    this.pings = setInterval(() => this.ping(), PING_MS)
    this.pings.unref?.()
  }

  /** A frame of ttyd. Title and preferences are its own business. */
  receive(frame: Uint8Array): void {
    this.answered = true
    if (frame[0] !== OUTPUT) return
    // What was read from the socket before the pause still comes; it waits here.
    this.late.push(frame.subarray(1))
    this.deliver()
  }

  get queuedBytes(): number {
    return this.socket.bufferedAmount
  }

  write(bytes: Uint8Array): void {
    this.send(INPUT, bytes)
  }

  resize(size: TerminalSize): void {
    this.size = size
    this.send(RESIZE, encoder.encode(JSON.stringify({ columns: size.columns, rows: size.rows })))
  }

  // Many programs paint only when the size really differs: it becomes another one for a moment. ttyd has no frame for it.
  redraw(): void {
    const { columns, rows } = this.size
    this.send(RESIZE, encoder.encode(JSON.stringify({ columns, rows: rows > 1 ? rows - 1 : 2 })))
    clearTimeout(this.repaint)
    this.repaint = setTimeout(() => this.resize(this.size), REPAINT_MS)
  }

  // ttyd reads its PTY only as fast as the socket takes it, so stopping to read is enough. Its own pause frame is not
  // used: when its resume frame comes while output waits for the socket, ttyd 1.7.7 loses up to 4 KiB of it.
  pause(): void {
    this.paused = true
    this.socket.pause()
  }

  resume(): void {
    this.paused = false
    this.answered = true
    this.deliver()
    if (!this.paused) this.socket.resume()
  }

  close(): void {
    this.over = true
    clearTimeout(this.repaint)
    clearInterval(this.pings)
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(NORMAL_END)
    else this.socket.terminate()
  }

  // While nothing is read no answer is seen either.
  private ping(): void {
    if (this.answered || this.paused) {
      this.answered = false
      return this.socket.ping()
    }
    this.close()
    this.socket.terminate()
    this.sink.closed('lost', 'ttyd does not answer')
  }

  private deliver(): void {
    while (!this.paused && !this.over) {
      const bytes = this.late.shift()
      if (!bytes) return
      this.sink.data(bytes)
      free(bytes)
    }
  }

  private send(type: number, bytes: Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return
    const frame = new Uint8Array(bytes.byteLength + 1)
    frame[0] = type
    frame.set(bytes, 1)
    this.socket.send(frame)
  }
}
