// Output on its way into the emulator: the server pauses while too much waits to be drawn.
import type { Terminal } from '@xterm/xterm'

const HIGH_BYTES = 512 * 1024
const LOW_BYTES = 128 * 1024

/** Writes output in order and asks for a pause, or for more, through `send`. */
export class OutputFlow {
  private pending = 0
  private paused = false

  constructor(
    private readonly term: Terminal,
    private readonly send: (type: '2' | '3') => void,
  ) {}

  /** Hands bytes on as they came: a character split over two frames is joined by the emulator. */
  write(bytes: Uint8Array, written?: () => void): void {
    this.pending += bytes.length
    if (!this.paused && this.pending > HIGH_BYTES) {
      this.paused = true
      this.send('2')
    }
    this.term.write(bytes, () => {
      this.pending -= bytes.length
      if (this.paused && this.pending < LOW_BYTES) {
        this.paused = false
        this.send('3')
      }
      written?.()
    })
  }

  /** A new connection knows of no pause. */
  renewed(): void {
    this.paused = false
  }
}
