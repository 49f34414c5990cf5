// The terminal's socket: greeting, frames, and coming back after every kind of loss.
import { InputWindow } from './input.ts'

/** What the server tells about the stream; see the terminal's wire format. */
export interface StreamStatus {
  stream: string
  /** Offset of the next output byte. */
  offset: number
  /** Offset behind the newest byte of the terminal. */
  end: number
  /** Bytes that this page will never see. */
  skipped: number
  /** The screen must be cleared before the bytes that follow. */
  reset: boolean
  viewers: number
  /** Names this connection for the one that replaces it. */
  seat: string
  /** Bytes of input that the program has taken. */
  typed: number
  state: 'connecting' | 'live' | 'ended'
}

export type LinkState =
  | { kind: 'connecting' }
  | { kind: 'connected' }
  | { kind: 'waiting'; seconds: number }
  /** It does not come back by itself; `again` tells whether a press on a button may help. */
  | { kind: 'closed'; reason: string; again: boolean; signedOut?: boolean }

interface Events {
  size(): { columns: number; rows: number }
  /** `past` tells output that was written before this connection: nobody waits for an answer to it. */
  output(bytes: Uint8Array, past: boolean): void
  /** So many bytes of a paste were not sent when the connection went. */
  cut(bytes: number): void
  status(status: StreamStatus): void
  state(state: LinkState): void
}

// A random wait of at least the shortest: after an outage not everybody comes in the same moment.
const SHORTEST_WAIT_MS = 500
const FIRST_WAIT_MS = 1000
const MAX_WAIT_MS = 30_000
const RESTART_SHORTEST_MS = 200
const RESTART_WAIT_MS = 1500
const HELD_MS = 3000
// The server says something every twenty seconds. A network that is gone says nothing, not even that.
const SILENT_MS = 38_000
const DIAL_MS = 15_000
const LOOK_MS = 5000
const GONE = 'This agent is not running any more.'
const FINAL: Record<number, { reason: string; again: boolean }> = {
  1000: { reason: 'The terminal was closed.', again: true },
  1003: { reason: 'This page is older than the server. Load it again.', again: false },
  1008: { reason: 'The server closed the terminal.', again: true },
  4403: { reason: 'You may not open this terminal.', again: false },
  4404: { reason: GONE, again: false },
  4408: { reason: 'The terminal was closed because nobody used it.', again: true },
  4429: { reason: 'Too many tabs show terminals. Close some, then connect again.', again: true },
}

// Ours alone: the socket that it stands for was never closed by anybody.
const SILENT = 0
const OUTPUT = 0x30
const STATUS = 0x73
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Keeps one terminal connected until it is closed. A reconnect asks only for what was missed. */
export class TerminalConnection {
  private socket?: WebSocket
  private stream = ''
  private seat = ''
  private newFrom = 0
  private greeted = false
  private heardAt = 0
  private readonly input = new InputWindow((bytes) => this.frame('0', bytes))
  private readonly watch = window.setInterval(() => this.look(), LOOK_MS)
  private offset = 0
  private tries = 0
  private liveSince = Number.POSITIVE_INFINITY
  private timer = 0
  private ended = false
  private readonly wake = () => {
    if (this.timer !== 0 && !document.hidden) this.retryNow()
    else this.look()
  }

  constructor(
    private readonly path: string,
    private readonly events: Events,
  ) {
    window.addEventListener('online', this.wake)
    document.addEventListener('visibilitychange', this.wake)
    this.open()
  }

  /** Sends input, or a frame of control; what is typed while there is no connection is dropped, as the screen says. */
  send(type: '0' | '1' | '2' | '3', body: string | Uint8Array = ''): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return
    const bytes = typeof body === 'string' ? encoder.encode(body) : body
    if (type === '0') this.input.push(bytes)
    else this.frame(type, bytes)
  }

  /** Connects at once instead of waiting. */
  retryNow(): void {
    clearTimeout(this.timer)
    this.timer = 0
    this.open()
  }

  /** Ends it for good. */
  close(): void {
    this.ended = true
    clearTimeout(this.timer)
    clearInterval(this.watch)
    window.removeEventListener('online', this.wake)
    document.removeEventListener('visibilitychange', this.wake)
    this.socket?.close(1000)
  }

  private open(): void {
    this.events.state({ kind: 'connecting' })
    const replaces = this.seat ? `?replaces=${encodeURIComponent(this.seat)}` : ''
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${this.path}${replaces}`, ['tty'])
    this.socket = socket
    this.greeted = false
    this.heardAt = Date.now()
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      const resume = this.stream ? { resume: { stream: this.stream, offset: this.offset } } : {}
      socket.send(encoder.encode(JSON.stringify({ AuthToken: '', ...this.events.size(), ...resume })))
    }
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.receive(new Uint8Array(data as ArrayBuffer))
    }
    socket.onclose = ({ code }) => {
      if (this.socket === socket) void this.lost(code)
    }
  }

  private frame(type: string, bytes: Uint8Array): void {
    const frame = new Uint8Array(bytes.length + 1)
    frame[0] = type.charCodeAt(0)
    frame.set(bytes, 1)
    this.socket?.send(frame)
  }

  // Sleep, a switched-off network and a server that is gone without a word all look the same: silence.
  private look(): void {
    const { socket } = this
    const limit = socket?.readyState === WebSocket.OPEN ? SILENT_MS : socket?.readyState === WebSocket.CONNECTING ? DIAL_MS : Number.POSITIVE_INFINITY
    if (this.ended || Date.now() - this.heardAt < limit) return
    this.socket = undefined
    socket?.close()
    void this.lost(SILENT)
  }

  private receive(frame: Uint8Array): void {
    const body = frame.subarray(1)
    this.heardAt = Date.now()
    if (frame[0] === OUTPUT) {
      const past = this.offset < this.newFrom
      this.offset += body.length
      this.events.output(body, past)
    } else if (frame[0] === STATUS) {
      const status = JSON.parse(decoder.decode(body)) as StreamStatus
      this.stream = status.stream
      this.seat = status.seat
      this.offset = status.offset
      if (status.reset || !this.greeted) this.newFrom = status.end
      this.greeted = true
      this.input.acknowledge(status.typed)
      this.liveSince = performance.now()
      this.events.status(status)
      this.events.state({ kind: 'connected' })
    }
  }

  private async lost(code: number): Promise<void> {
    if (this.ended) return
    // Only a connection that held counts as success: one that breaks at once waits longer each time.
    if (performance.now() - this.liveSince > HELD_MS) this.tries = 0
    this.liveSince = Number.POSITIVE_INFINITY
    const cut = this.input.renew()
    if (cut > 0) this.events.cut(cut)
    const state = finalState(code) ?? (code === 1006 && this.tries >= 1 ? await this.refusal() : undefined)
    if (this.ended) return
    if (state) return this.events.state(state)
    const [least, most] = code === 1012 ? [RESTART_SHORTEST_MS, RESTART_WAIT_MS] : [SHORTEST_WAIT_MS, Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries)]
    const wait = least + Math.random() * (most - least)
    this.tries++
    this.events.state({ kind: 'waiting', seconds: Math.max(1, Math.round(wait / 1000)) })
    this.timer = window.setTimeout(() => this.retryNow(), wait)
  }

  // A refused handshake has no code: the same address without an upgrade tells the reason.
  private async refusal(): Promise<LinkState | undefined> {
    try {
      const { status } = await fetch(this.path, { headers: { accept: 'application/json' } })
      const code = { 401: 4401, 403: 4403, 404: 4404, 429: 4429 }[status]
      return code === undefined ? undefined : finalState(code)
    } catch {
      // @NOTE the server does not answer at all: go on trying.
      return undefined
    }
  }
}

function finalState(code: number): LinkState | undefined {
  if (code === 4401) return { kind: 'closed', reason: 'You are signed out.', again: false, signedOut: true }
  const final = FINAL[code]
  return final && { kind: 'closed', ...final }
}
