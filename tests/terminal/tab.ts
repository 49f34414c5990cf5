// A browser tab's end of a terminal socket: keeps bytes, not text, and can stop reading for real.
import { until } from '../../src/lib/until.ts'

type BunWebSocket = WebSocket & { pause(): void; resume(): void }
const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; perMessageDeflate: boolean }) => BunWebSocket

export interface TabOptions {
  size?: { columns: number; rows: number }
  resume?: { stream: string; offset: number }
  /** Keep only the last bytes; for floods. */
  tailOnly?: boolean
}

export interface Status {
  stream: string
  offset: number
  skipped: number
  reset: boolean
  end: number
  seat: string
  typed: number
  viewers: number
  state: 'connecting' | 'live' | 'ended'
}

const TAIL_BYTES = 64 * 1024
const encoder = new TextEncoder()

/** Speaks the protocol as the page does, and counts offsets as the page does. */
export class Tab {
  readonly statuses: Status[] = []
  stream = ''
  /** Offset of the next output byte. */
  offset = 0
  /** Output bytes heard, in all. */
  heard = 0
  skipped = 0
  closed: { code: number; reason: string } | undefined
  private chunks: Uint8Array[] = []
  private kept = 0
  private readonly socket: BunWebSocket
  private readonly tailOnly: boolean

  constructor(url: string, { size = { columns: 80, rows: 24 }, resume, tailOnly = false }: TabOptions) {
    this.tailOnly = tailOnly
    this.socket = new Socket(url, { protocols: ['tty'], perMessageDeflate: false })
    this.socket.binaryType = 'arraybuffer'
    this.socket.onopen = () => this.send(encoder.encode(JSON.stringify({ AuthToken: '', ...size, resume })))
    this.socket.onmessage = ({ data }) => this.receive(new Uint8Array(data as ArrayBuffer))
    this.socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason }
    }
  }

  get status(): Status | undefined {
    return this.statuses.at(-1)
  }

  get output(): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Types text or bytes, in frames as small as the page's. */
  type(keys: string | Uint8Array): void {
    const bytes = typeof keys === 'string' ? encoder.encode(keys) : keys
    for (let at = 0; at < bytes.byteLength; at += 32 * 1024) this.frame('0', bytes.subarray(at, at + 32 * 1024))
  }

  frame(type: string, body: string | Uint8Array = ''): void {
    this.send(Buffer.concat([Buffer.from(type), Buffer.from(body)]))
  }

  /** Really stops reading: the bytes stay in the sockets and then in the server. */
  stop(): void {
    this.socket.pause()
  }

  goOn(): void {
    this.socket.resume()
  }

  leave(): void {
    this.socket.resume()
    this.socket.close()
  }

  async live(): Promise<void> {
    await until(() => this.status?.state === 'live', { what: 'a live terminal' })
  }

  async shows(text: string, timeoutMs = 10_000): Promise<void> {
    await until(() => this.output.includes(text), { timeoutMs, what: `“${text}” on the terminal (it shows ${JSON.stringify(this.output.subarray(-300).toString('latin1'))})` })
  }

  async ends(timeoutMs = 10_000): Promise<number> {
    await until(() => this.closed, { timeoutMs, what: 'the end of the socket' })
    return this.closed?.code ?? 0
  }

  private send(bytes: Uint8Array): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes)
  }

  private receive(frame: Uint8Array): void {
    const body = frame.subarray(1)
    if (frame[0] === 0x73) {
      const status = JSON.parse(new TextDecoder().decode(body)) as Status
      this.statuses.push(status)
      this.stream = status.stream
      this.offset = status.offset
      this.skipped += status.skipped
      if (status.reset) this.clear()
    }
    if (frame[0] !== 0x30) return
    this.offset += body.byteLength
    this.heard += body.byteLength
    this.chunks.push(body)
    this.kept += body.byteLength
    if (this.tailOnly && this.kept > 4 * TAIL_BYTES) this.keep(this.output.subarray(-TAIL_BYTES))
  }

  private clear(): void {
    this.keep(new Uint8Array(0))
  }

  private keep(bytes: Uint8Array): void {
    this.chunks = [bytes.slice()]
    this.kept = bytes.byteLength
  }
}
