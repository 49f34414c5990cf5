// The terminal's socket: greeting, frames, flow control, and coming back after every kind of loss.

export interface TerminalStatus {
  stream: string
  offset: number
  skipped: number
  reset: boolean
  viewers: number
  state: 'connecting' | 'live' | 'ended'
}

export type LinkState = { kind: 'connecting' } | { kind: 'connected' } | { kind: 'waiting'; seconds: number } | { kind: 'closed'; reason: string; signedOut?: boolean }

interface Events {
  size(): { columns: number; rows: number }
  output(bytes: Uint8Array): void
  status(status: TerminalStatus): void
  state(state: LinkState): void
}

const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 15_000
const FINAL: Record<number, string> = {
  4403: 'You may not open this terminal.',
  4429: 'Too many tabs show this terminal. Close one, then reload.',
  1003: 'The page and the server do not understand each other. Reload the page.',
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Keeps one terminal connected as long as the element lives. */
export class TerminalConnection {
  private socket?: WebSocket
  private stream = ''
  private offset = 0
  private tries = 0
  private timer = 0
  private ended = false

  constructor(
    private readonly url: string,
    private readonly events: Events,
  ) {
    this.open()
  }

  send(type: string, body: string | Uint8Array = ''): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return
    const bytes = typeof body === 'string' ? encoder.encode(body) : body
    const frame = new Uint8Array(bytes.length + 1)
    frame[0] = type.charCodeAt(0)
    frame.set(bytes, 1)
    this.socket.send(frame)
  }

  close(): void {
    this.ended = true
    clearTimeout(this.timer)
    this.socket?.close(1000)
  }

  private open(): void {
    this.events.state({ kind: 'connecting' })
    const socket = new WebSocket(this.url, ['tty'])
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      const resume = this.stream ? { resume: { stream: this.stream, offset: this.offset } } : {}
      socket.send(encoder.encode(JSON.stringify({ AuthToken: '', ...this.events.size(), ...resume })))
    }
    socket.onmessage = ({ data }) => this.receive(new Uint8Array(data as ArrayBuffer))
    socket.onclose = ({ code }) => this.lost(code)
  }

  private receive(frame: Uint8Array): void {
    const body = frame.subarray(1)
    if (frame[0] === 0x30) {
      this.offset += body.length
      this.events.output(body)
    } else if (frame[0] === 0x73) {
      const status = JSON.parse(decoder.decode(body)) as TerminalStatus
      this.stream = status.stream
      this.offset = status.offset
      this.tries = 0
      this.events.state({ kind: 'connected' })
      this.events.status(status)
    }
  }

  private lost(code: number): void {
    if (this.ended) return
    if (code === 4401) return this.events.state({ kind: 'closed', reason: 'You are signed out.', signedOut: true })
    const final = FINAL[code]
    if (final) return this.events.state({ kind: 'closed', reason: final })
    const wait = (code === 1012 ? 200 : Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries)) * (0.8 + Math.random() * 0.4)
    this.tries++
    this.events.state({ kind: 'waiting', seconds: Math.max(1, Math.round(wait / 1000)) })
    this.timer = window.setTimeout(() => this.open(), wait)
  }
}
