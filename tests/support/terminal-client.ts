// A browser's end of a terminal socket, for tests.
import { until } from '../../src/lib/until.ts'

const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; headers: Record<string, string> }) => WebSocket

/** Speaks the terminal's protocol and keeps what it hears. */
export class TerminalClient {
  readonly socket: WebSocket
  text = ''
  bytes = 0
  /** Where the next byte of output stands in the stream. */
  offset = 0
  status: { stream: string; offset: number; skipped: number; viewers: number } | undefined
  closed: { code: number } | undefined
  private readonly decoder = new TextDecoder()

  constructor(url: string, headers: Record<string, string> = {}, resume?: { stream: string; offset: number }) {
    this.socket = new Socket(url.replace(/^http/, 'ws'), { protocols: ['tty'], headers })
    this.socket.binaryType = 'arraybuffer'
    this.socket.onopen = () => this.socket.send(new TextEncoder().encode(JSON.stringify({ AuthToken: '', columns: 100, rows: 30, resume })))
    this.socket.onmessage = ({ data }) => this.receive(new Uint8Array(data as ArrayBuffer))
    this.socket.onclose = ({ code }) => {
      this.closed = { code }
    }
  }

  type(text: string): void {
    this.frame('0', text)
  }

  frame(type: string, text = ''): void {
    this.socket.send(new TextEncoder().encode(type + text))
  }

  async shows(text: string, timeoutMs = 15_000): Promise<void> {
    await until(() => this.text.includes(text), { timeoutMs, what: `“${text}” on the terminal (it shows ${JSON.stringify(this.text.slice(-300))})` })
  }

  async ends(): Promise<number> {
    await until(() => this.closed, { timeoutMs: 15_000, what: 'the end of the socket' })
    return this.closed?.code ?? 0
  }

  private receive(frame: Uint8Array): void {
    if (frame[0] === 0x73) this.heard(JSON.parse(new TextDecoder().decode(frame.subarray(1))))
    if (frame[0] !== 0x30) return
    this.bytes += frame.length - 1
    this.offset += frame.length - 1
    this.text = (this.text + this.decoder.decode(frame.subarray(1), { stream: true })).slice(-200_000)
  }

  private heard(status: NonNullable<TerminalClient['status']>): void {
    this.status = status
    this.offset = status.offset
  }
}
