// One browser tab on a terminal: gets every byte in order, or is told how many it missed. Bounded memory.
import { outputFrame, type StatusFrame, statusFrame } from './frames.ts'
import type { ReplayRing } from './ring.ts'
import type { TerminalSize } from './upstream.ts'

/** The socket of a viewer, as Bun's ServerWebSocket is. */
export interface ViewerTransport {
  /** Bytes sent, -1 when queued, 0 when dropped. */
  send(frame: Uint8Array): number
  getBufferedAmount(): number
  close(code: number, reason: string): void
}

/** Who is behind a viewer; decides limits and when it must end. */
export interface ViewerIdentity {
  userId: number
  loginId: string
}

// Above HIGH a viewer gets no more until it is below LOW again: at most HIGH and one chunk lie in its socket.
const HIGH_BYTES = 512 * 1024
const LOW_BYTES = 128 * 1024
const CHUNK_BYTES = 64 * 1024

/** Sends output to one transport and knows how far it is. */
export class Viewer {
  /** Offset of the next byte that this viewer gets. */
  cursor = 0
  size: TerminalSize
  lastProgressAt = performance.now()
  private paused = false
  private full = false

  constructor(
    readonly identity: ViewerIdentity,
    readonly transport: ViewerTransport,
    size: TerminalSize,
  ) {
    this.size = size
  }

  /** True while it takes no output: its socket is full, or its page asked for a pause. */
  get blocked(): boolean {
    return this.paused || this.full
  }

  /** Hands on live bytes that end at offset `end`. A blocked viewer stays behind and catches up later. */
  live(frame: Uint8Array, end: number): void {
    if (this.blocked || this.cursor !== end - (frame.byteLength - 1)) return
    this.push(frame)
    this.cursor = end
  }

  /** Sends what the ring has from the cursor on; tells what is gone. False when it is blocked again before the end. */
  catchUp(ring: ReplayRing, status: (skipped: number, reset: boolean) => StatusFrame): { skipped: number; done: boolean } {
    let skipped = 0
    if (this.cursor < ring.start) {
      const begin = ring.cleanStart()
      skipped = begin - this.cursor
      this.cursor = begin
      this.transport.send(statusFrame(status(skipped, true)))
    }
    const bytes = ring.from(this.cursor)
    for (let at = 0; at < bytes.byteLength && !this.blocked; at += CHUNK_BYTES) {
      const part = bytes.subarray(at, at + CHUNK_BYTES)
      this.push(outputFrame(part))
      this.cursor += part.byteLength
    }
    return { skipped, done: this.cursor === ring.end }
  }

  pause(): void {
    this.paused = true
  }

  unpause(): void {
    this.paused = false
    this.drained()
  }

  /** Looks at the socket again; true when the viewer can take output now. */
  drained(): boolean {
    if (this.full && this.transport.getBufferedAmount() <= LOW_BYTES) {
      this.full = false
      this.lastProgressAt = performance.now()
    }
    return !this.blocked
  }

  private push(frame: Uint8Array): void {
    const sent = this.transport.send(frame)
    if (sent > 0) this.lastProgressAt = performance.now()
    else if (this.transport.getBufferedAmount() > HIGH_BYTES) this.full = true
  }
}
