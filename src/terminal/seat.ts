// One socket at a terminal, from its opening to its close: the greeting first, then frames; after the close nothing is heard.
import { randomToken } from '../lib/crypto.ts'
import { CLOSE, parseClientFrame, parseHello } from './frames.ts'
import type { Terminal } from './terminal.ts'
import { Viewer, type ViewerIdentity, type ViewerTransport } from './viewer.ts'

const GREETING_MS = 10_000
// So many questions in a row without an answer mean that the other side is gone: noticed within 40 s.
const MISSES = 1

/** What the socket of a viewer calls: each of its events, in order. */
export interface ViewerConnection {
  message(frame: Uint8Array): void
  pong(): void
  drain(): void
  closed(): void
}

interface SeatDeps {
  agentId: number
  identity: ViewerIdentity
  transport: ViewerTransport
  /** The terminal to sit at; made when it is not there. */
  terminal(): Terminal
  typed(): void
  left(seat: Seat): void
}

/** Binds a socket to a viewer of a terminal. Closing it from either side is final. */
export class Seat implements ViewerConnection, ViewerTransport {
  /** Names this connection for the one that may replace it. */
  readonly id = randomToken(9)
  private over = false
  private unanswered = 0
  private place?: { viewer: Viewer; terminal: Terminal }
  private readonly silent = setTimeout(() => this.close(CLOSE.policy, 'no greeting'), GREETING_MS)

  constructor(private readonly deps: SeatDeps) {}

  get agentId(): number {
    return this.deps.agentId
  }

  get identity(): ViewerIdentity {
    return this.deps.identity
  }

  message(bytes: Uint8Array): void {
    if (this.over) return
    this.unanswered = 0
    if (!this.place) return this.greet(bytes)
    const { viewer, terminal } = this.place
    const frame = parseClientFrame(bytes)
    if (frame.kind === 'bad') return this.close(frame.code, frame.why)
    terminal.receive(viewer, frame)
    if (frame.kind === 'input') this.deps.typed()
  }

  pong(): void {
    this.unanswered = 0
  }

  /** Asks for a sign of life and gives one. Who has answered nothing for long is gone, whatever is still being sent. */
  beat(): void {
    if (this.over || !this.place) return
    if (this.unanswered++ >= MISSES) return this.terminate()
    this.ping()
    this.place.terminal.beat(this.place.viewer)
  }

  drain(): void {
    if (!this.over) this.place?.terminal.drained(this.place.viewer)
  }

  closed(): void {
    this.leave()
    this.deps.left(this)
  }

  send(frame: Uint8Array): number {
    return this.over ? 0 : this.deps.transport.send(frame)
  }

  getBufferedAmount(): number {
    return this.over ? 0 : this.deps.transport.getBufferedAmount()
  }

  // The other side may take its time to close: until then it neither sees nor types anything.
  close(code: number, reason: string): void {
    if (this.over) return
    this.leave()
    this.deps.transport.close(code, reason)
  }

  ping(): void {
    if (!this.over) this.deps.transport.ping()
  }

  terminate(): void {
    this.leave()
    this.deps.left(this)
    this.deps.transport.terminate()
  }

  private greet(bytes: Uint8Array): void {
    clearTimeout(this.silent)
    const hello = parseHello(bytes)
    if ('kind' in hello) return this.close(hello.code, hello.why)
    const viewer = new Viewer(this, hello.size, this.id)
    const terminal = this.deps.terminal()
    this.place = { viewer, terminal }
    terminal.attach(viewer, hello)
  }

  private leave(): void {
    this.over = true
    clearTimeout(this.silent)
    this.place?.terminal.detach(this.place.viewer)
  }
}
