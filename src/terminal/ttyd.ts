// Upstream over ttyd's WebSocket (ttyd 1.7): subprotocol `tty`, its credential twice, its own pause and resume.
import { AppError } from '../lib/errors.ts'
import { OUTPUT, PAUSE, RESIZE, RESUME } from './frames.ts'
import type { TerminalSize, Upstream, UpstreamSink } from './upstream.ts'

const encoder = new TextEncoder()

// Bun's client takes headers and options that the DOM's type does not know.
type BunWebSocket = WebSocket & { pause(): void; resume(): void }
const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; headers: Record<string, string>; perMessageDeflate: boolean }) => BunWebSocket

/** Connects to ttyd. Rejects with AppError `unavailable` when it refuses or does not answer. */
export function openTtyd(url: string, credential: string, size: TerminalSize, sink: UpstreamSink, timeoutMs: number): Promise<Upstream> {
  const authToken = Buffer.from(credential).toString('base64')
  return new Promise((resolve, reject) => {
    // Compression towards the upstream would cost a third of the rate and three times the CPU.
    const socket = new Socket(url, { protocols: ['tty'], headers: { authorization: `Basic ${authToken}` }, perMessageDeflate: false })
    socket.binaryType = 'arraybuffer'
    const timer = setTimeout(() => socket.close(), timeoutMs)
    let upstream: TtydConnection | undefined
    socket.onopen = () => {
      clearTimeout(timer)
      socket.send(encoder.encode(JSON.stringify({ AuthToken: authToken, columns: size.columns, rows: size.rows })))
      upstream = new TtydConnection(socket, size)
      resolve(upstream)
    }
    socket.onmessage = ({ data }) => {
      const frame = new Uint8Array(data as ArrayBuffer)
      // Title and preferences are ttyd's own business.
      if (frame[0] === OUTPUT) sink.data(frame.subarray(1))
    }
    socket.onclose = ({ code, reason }) => {
      clearTimeout(timer)
      if (!upstream)
        return reject(
          new AppError('unavailable', 'terminal_unreachable', 'The terminal of this agent cannot be reached. Restart the agent if it stays so.', {
            cause: new Error(`ttyd closed with ${code} ${reason}`),
          }),
        )
      if (!upstream.closing) sink.closed(code === 1000 ? 'ended' : 'lost', `ttyd closed with ${code} ${reason}`)
    }
  })
}

class TtydConnection implements Upstream {
  closing = false

  constructor(
    private readonly socket: BunWebSocket,
    private size: TerminalSize,
  ) {}

  write(bytes: Uint8Array): void {
    this.send(INPUT_TYPE, bytes)
  }

  resize(size: TerminalSize): void {
    this.size = size
    this.send(RESIZE, encoder.encode(JSON.stringify(size)))
  }

  redraw(): void {
    // Two sizes in a row make the program paint again; ttyd has no frame for it.
    const { columns, rows } = this.size
    this.send(RESIZE, encoder.encode(JSON.stringify({ columns: Math.max(2, columns - 1), rows })))
    this.send(RESIZE, encoder.encode(JSON.stringify({ columns, rows })))
  }

  pause(): void {
    this.send(PAUSE, NOTHING)
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
    this.send(RESUME, NOTHING)
  }

  close(): void {
    this.closing = true
    this.socket.close(1000)
  }

  private send(type: number, bytes: Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return
    const frame = new Uint8Array(bytes.byteLength + 1)
    frame[0] = type
    frame.set(bytes, 1)
    this.socket.send(frame)
  }
}

const INPUT_TYPE = 0x30
const NOTHING = new Uint8Array(0)
