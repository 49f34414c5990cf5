// Input on its way to the server: cut into frames, and never further ahead of the program than a window.

const FRAME_BYTES = 16 * 1024
const WINDOW_BYTES = 64 * 1024
const INTERRUPT = 0x03
const PASTE_END = new TextEncoder().encode('\x1b[201~')

/** Keeps what may not be sent yet. Keys pass through at once; only a large paste ever waits. */
export class InputWindow {
  private readonly waiting: Uint8Array[] = []
  private sent = 0
  private taken = 0

  constructor(private readonly send: (bytes: Uint8Array) => void) {}

  /** Sends it, or lets it wait behind what waits. Ctrl-C drops what waits: that is what it is typed for. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 1 && bytes[0] === INTERRUPT) {
      this.abandon()
      return this.pass(bytes)
    }
    for (let at = 0; at < bytes.length; at += FRAME_BYTES) this.waiting.push(bytes.subarray(at, at + FRAME_BYTES))
    this.flush()
  }

  /** The program has taken this many bytes since the connection began. */
  acknowledge(taken: number): void {
    this.taken = taken
    this.flush()
  }

  /** A new connection counts from nothing. Returns how many bytes of the old one were never sent. */
  renew(): number {
    const lost = this.waiting.reduce((sum, bytes) => sum + bytes.length, 0)
    this.waiting.length = 0
    this.sent = 0
    this.taken = 0
    return lost
  }

  // A paste in brackets is closed all the same: a program that waits for its end takes Ctrl-C for a part of it.
  private abandon(): void {
    const rest = this.waiting.splice(0).flatMap((bytes) => [...bytes.subarray(-PASTE_END.length)])
    const end = Uint8Array.from(rest.slice(-PASTE_END.length))
    if (rest.length > 0 && (rest.length < PASTE_END.length || PASTE_END.every((byte, at) => byte === end[at]))) this.pass(end)
  }

  private flush(): void {
    for (let next = this.waiting[0]; next && this.sent + next.length - this.taken <= WINDOW_BYTES; next = this.waiting[0]) {
      this.waiting.shift()
      this.pass(next)
    }
  }

  private pass(bytes: Uint8Array): void {
    this.sent += bytes.length
    this.send(bytes)
  }
}
