// Upstream over dtach's Unix socket (dtach 0.9): ten-byte packets to it, raw output from it.
import { AppError } from '../lib/errors.ts'
import { free } from '../lib/free.ts'
import type { TerminalSize, Upstream, UpstreamSink } from './upstream.ts'

const PUSH = 0
const ATTACH = 1
const WINCH = 3
const REDRAW = 4
const REDRAW_BY_WINCH = 3
const PACKET_BYTES = 10
const PUSH_BYTES = 8
// dtach reads a packet with one read and takes a short one for a whole one. The kernel takes a write of this size whole
// or not at all, so that no packet is ever cut.
const BLOCK_BYTES = 400 * PACKET_BYTES
const REPAINT_MS = 120

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

interface Block {
  bytes: Uint8Array
  used: number
}

class DtachConnection implements Upstream {
  queuedBytes = 0
  private socket?: Bun.Socket
  private readonly blocks: Block[] = []
  private over = false
  private repaint?: ReturnType<typeof setTimeout>

  constructor(
    private readonly sink: UpstreamSink,
    private size: TerminalSize,
  ) {}

  async connect(unix: string): Promise<void> {
    const socket = await Bun.connect({
      unix,
      socket: {
        data: (_socket, bytes) => {
          if (!this.over) this.sink.data(bytes)
          free(bytes)
        },
        drain: () => this.flush(),
        close: () => this.ended('ended', 'the terminal closed'),
        error: (_socket, error) => this.ended('lost', error.message),
      },
    })
    if (this.over) return void socket.end()
    this.socket = socket
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

  // Many programs paint only when the size really differs: it becomes another one for a moment.
  redraw(): void {
    const { columns, rows } = this.size
    this.send(packet(WINCH, 0, winsize({ columns, rows: rows > 1 ? rows - 1 : 2 })))
    clearTimeout(this.repaint)
    this.repaint = setTimeout(() => this.send(packet(REDRAW, REDRAW_BY_WINCH, winsize(this.size))), REPAINT_MS)
  }

  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  close(): void {
    this.over = true
    clearTimeout(this.repaint)
    this.socket?.terminate()
  }

  private send(packets: Uint8Array): void {
    if (this.over || !this.socket) return
    const taken = this.blocks.length === 0 ? this.writeOut(this.socket, packets) : 0
    this.enqueue(packets.subarray(taken))
  }

  // A full socket buffer leaves the rest to the drain event, in order.
  private flush(): void {
    if (this.blocks.length === 0) return
    for (let block = this.blocks[0]; block && this.socket && !this.over; block = this.blocks[0]) {
      const taken = this.writeOut(this.socket, block.bytes.subarray(0, block.used))
      this.queuedBytes -= taken
      if (taken < block.used) {
        block.bytes = block.bytes.slice(taken)
        block.used -= taken
        return
      }
      this.blocks.shift()
    }
    if (!this.over) this.sink.taken()
  }

  private writeOut(socket: Bun.Socket, bytes: Uint8Array): number {
    let taken = 0
    while (taken < bytes.byteLength) {
      const written = socket.write(bytes.subarray(taken, taken + BLOCK_BYTES))
      if (written <= 0) break
      taken += written
    }
    return taken
  }

  private enqueue(packets: Uint8Array): void {
    this.queuedBytes += packets.byteLength
    for (let at = 0; at < packets.byteLength; ) {
      let last = this.blocks.at(-1)
      if (!last || last.used === last.bytes.byteLength) {
        last = { bytes: new Uint8Array(BLOCK_BYTES), used: 0 }
        this.blocks.push(last)
      }
      const part = packets.subarray(at, at + last.bytes.byteLength - last.used)
      last.bytes.set(part, last.used)
      last.used += part.byteLength
      at += part.byteLength
    }
  }

  private ended(why: 'ended' | 'lost', detail: string): void {
    if (this.over) return
    this.close()
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
