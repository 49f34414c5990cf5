// One browser tab on a terminal: gets every byte in order, or is told how many it missed. Bounded memory.
import { outputFrame, type StatusFrame, statusFrame } from './frames.ts'
import type { ReplayRing } from './ring.ts'
import type { TerminalSize } from './upstream.ts'

/** The socket of a viewer, as Bun's ServerWebSocket is. */
export interface ViewerTransport {
  /** Bytes sent, -1 when queued, 0 when dropped. The frame is only valid during the call. */
  send(frame: Uint8Array): number
  getBufferedAmount(): number
  close(code: number, reason: string): void
  /** Asks the other side for a sign of life. */
  ping(): void
  /** Ends it at once, without a word to the other side. */
  terminate(): void
}

/** Who is behind a viewer; decides limits and when it must end. */
export interface ViewerIdentity {
  userId: number
  loginId: string
}

/** What a status says about the terminal; the rest of it is the viewer's own. */
export type TerminalStatus = Pick<StatusFrame, 'stream' | 'viewers' | 'state' | 'end'>

// Above HIGH a viewer gets no more until it is below LOW again: at most HIGH and one chunk lie in its socket.
const HIGH_BYTES = 512 * 1024
const LOW_BYTES = 128 * 1024
const CHUNK_BYTES = 64 * 1024
const ACKNOWLEDGE_BYTES = 16 * 1024

/** Sends output to one transport and knows how far it is. What it cannot send now stays in the ring. */
export class Viewer {
  /** Offset of the next byte that this viewer gets. */
  cursor = 0
  size: TerminalSize
  /** Bytes taken of late: tells the fast from the slow. */
  pace = 0
  private typed = 0
  private acknowledged = 0
  private progressAt = performance.now()
  private buffered = 0
  private paused = false
  private full = false
  private owesStatus = false

  constructor(
    readonly transport: ViewerTransport,
    size: TerminalSize,
    private readonly seat: string,
  ) {
    this.size = size
  }

  /** True while it takes no output: its socket is full, or its page asked for a pause. */
  get blocked(): boolean {
    return this.paused || this.full
  }

  /** True when the clock has nothing to do for it. */
  get isAtRest(): boolean {
    return !this.blocked && !this.waitsForWord && this.pace < 1
  }

  /** Begins at `offset` of a stream; `reset` empties the page's screen. */
  begin(offset: number, status: TerminalStatus, reset: boolean, skipped = 0): void {
    this.cursor = offset
    this.send(status, skipped, reset)
  }

  /** Begins at the oldest clean place of the ring, with an empty screen in the modes of that place. */
  beginAtRing(ring: ReplayRing, status: TerminalStatus, seen?: number): void {
    const { offset, modes } = ring.cleanStart()
    this.begin(offset, status, true, seen === undefined ? 0 : offset - seen)
    if (modes.byteLength === 0) return
    // These bytes are not of the stream: a second status puts the page's offset right.
    this.transport.send(outputFrame(modes))
    this.begin(offset, status, false)
  }

  /** Hands on the bytes that begin at the cursor. A blocked viewer stays behind and catches up later. */
  live(frame: Uint8Array): void {
    if (this.blocked) return
    this.cursor += frame.byteLength - 1
    this.push(frame)
  }

  /** Sends what the ring has from the cursor on. True when some of it is gone: that is skipped, and told. */
  catchUp(ring: ReplayRing, status: TerminalStatus): boolean {
    if (this.blocked) return false
    const skips = this.cursor < ring.start
    if (skips) this.beginAtRing(ring, status, this.cursor)
    if (this.owesStatus) this.tell(status)
    while (this.cursor < ring.end && !this.blocked) {
      const frame = ring.frame(this.cursor, CHUNK_BYTES)
      this.cursor += frame.byteLength - 1
      this.push(frame)
    }
    return skips
  }

  /** Tells how things stand; a blocked viewer hears it when it takes output again. */
  tell(status: TerminalStatus): void {
    this.owesStatus = this.blocked
    if (!this.blocked) this.send(status, 0, false)
  }

  /** Shows a silent page that the connection lives, also one that wants no output now. */
  beat(status: TerminalStatus): void {
    if (!this.full) this.send(status, 0, false)
  }

  /** Counts input of this viewer. */
  noteTyped(bytes: number): void {
    this.typed += bytes
  }

  /** Whether so much was typed since the last word about it that another one is worth a frame. */
  get waitsForWord(): boolean {
    return this.typed - this.acknowledged >= ACKNOWLEDGE_BYTES
  }

  /** The program has taken nearly all input: tells so. */
  acknowledge(status: TerminalStatus): void {
    this.acknowledged = this.typed
    this.tell(status)
  }

  pause(): void {
    this.paused = true
    this.progressAt = performance.now()
  }

  unpause(): void {
    this.paused = false
    this.progressAt = performance.now()
    this.look()
  }

  /** Looks at the socket again: notes progress, and takes output again when there is room. */
  look(): void {
    const buffered = this.transport.getBufferedAmount()
    if (buffered < this.buffered) this.progressed(this.buffered - buffered)
    this.buffered = buffered
    if (buffered <= LOW_BYTES) this.full = false
  }

  /** True when it has taken nothing for `ms` although there was something to take. */
  stalled(ms: number, now = performance.now()): boolean {
    return this.blocked && now - this.progressAt > ms
  }

  private push(frame: Uint8Array): void {
    const sent = this.transport.send(frame)
    if (sent > 0 && this.buffered === 0) return this.progressed(frame.byteLength)
    this.buffered += frame.byteLength
    this.look()
    if (this.buffered > HIGH_BYTES) this.full = true
  }

  private progressed(bytes: number): void {
    this.pace += bytes
    this.progressAt = performance.now()
  }

  private send({ stream, viewers, state, end }: TerminalStatus, skipped: number, reset: boolean): void {
    this.transport.send(statusFrame({ stream, offset: this.cursor, end, skipped, reset, role: 'writer', viewers, seat: this.seat, typed: this.acknowledged, state }))
  }
}
