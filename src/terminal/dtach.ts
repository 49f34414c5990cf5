// Upstream over dtach's Unix socket (dtach 0.9): ten-byte packets to it, raw output from it.
import { AppError } from '../lib/errors.ts'
import type { TerminalSize, Upstream, UpstreamSink } from './upstream.ts'

const PUSH = 0
const ATTACH = 1
const WINCH = 3
const REDRAW = 4
const REDRAW_BY_WINCH = 3
const PACKET_BYTES = 10
const REDRAW_GAP_MS = 120
const PUSH_BYTES = 8
const MAX_QUEUED_BYTES = 4 * 1024 * 1024

/** Attaches to a dtach master. Rejects with AppError `unavailable` when it does not answer. */
export async function openDtach(socketPath: string, size: TerminalSize, sink: UpstreamSink, timeoutMs: number): Promise<Upstream> {
  const connection = new DtachConnection(sink, size)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), timeoutMs)
  })
  try {
    await Promise.race([connection.connect(socketPath), late])
    return connection
  } catch (cause) {
    connection.close()
    throw new AppError('unavailable', 'terminal_unreachable', 'The terminal of this agent cannot be reached. Restart the agent if it stays so.', { cause })
  } finally {
    clearTimeout(timer)
  }
}

class DtachConnection implements Upstream {
  private socket?: Bun.Socket
  private queue: Uint8Array[] = []
  private queued = 0
  private over = false
  private redrawing?: ReturnType<typeof setTimeout>

  constructor(
    private readonly sink: UpstreamSink,
    private size: TerminalSize,
  ) {}

  async connect(unix: string): Promise<void> {
    this.socket = await Bun.connect({
      unix,
      socket: {
        data: (_socket, bytes) => this.sink.data(bytes),
        drain: () => this.flush(),
        close: () => this.ended('ended', 'the terminal closed'),
        error: (_socket, error) => this.ended('lost', error.message),
      },
    })
    if (this.over) return void this.socket.end()
    this.send(packet(ATTACH, 0, new Uint8Array(8)))
    this.redraw()
  }

  write(bytes: Uint8Array): void {
    const packets = new Uint8Array(Math.ceil(bytes.byteLength / PUSH_BYTES) * PACKET_BYTES)
    for (let at = 0, out = 0; at < bytes.byteLength; at += PUSH_BYTES, out += PACKET_BYTES) {
      const part = bytes.subarray(at, at + PUSH_BYTES)
      packets[out] = PUSH
      packets[out + 1] = part.byteLength
      packets.set(part, out + 2)
    }
    this.send(packets)
  }

  resize(size: TerminalSize): void {
    this.size = size
    this.send(packet(WINCH, 0, winsize(size)))
  }

  // Programs paint again only when the size is another one, so they get one in between and a moment to see it.
  redraw(): void {
    const { columns, rows } = this.size
    this.send(packet(WINCH, 0, winsize({ columns: Math.max(2, columns - 1), rows })))
    clearTimeout(this.redrawing)
    this.redrawing = setTimeout(() => this.send(packet(REDRAW, REDRAW_BY_WINCH, winsize(this.size))), REDRAW_GAP_MS)
  }

  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  close(): void {
    this.over = true
    clearTimeout(this.redrawing)
    this.socket?.end()
  }

  private send(bytes: Uint8Array): void {
    if (this.over) return
    if (this.queued + bytes.byteLength > MAX_QUEUED_BYTES) return this.ended('lost', 'the terminal does not take input')
    this.queue.push(bytes)
    this.queued += bytes.byteLength
    this.flush()
  }

  // A write may be short: what is left waits for the socket to drain, in order.
  private flush(): void {
    for (;;) {
      const [head] = this.queue
      if (!head || !this.socket || this.over) return
      const written = Math.max(0, this.socket.write(head))
      this.queued -= written
      if (written < head.byteLength) {
        this.queue[0] = head.subarray(written)
        return
      }
      this.queue.shift()
    }
  }

  private ended(why: 'ended' | 'lost', detail: string): void {
    if (this.over) return
    this.over = true
    this.socket?.end()
    this.sink.closed(why, detail)
  }
}

function packet(type: number, length: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PACKET_BYTES)
  bytes[0] = type
  bytes[1] = length
  bytes.set(body, 2)
  return bytes
}

function winsize({ columns, rows }: TerminalSize): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, rows, true)
  view.setUint16(2, columns, true)
  return bytes
}
