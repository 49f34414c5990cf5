// The size of a terminal with several viewers: the latest wins, and a dragged window does not flood the program.
import type { TerminalSize } from './upstream.ts'

// At most ten changes a second.
const RESIZE_EVERY_MS = 100

/** What has a size and can be told another one. */
interface Sized {
  size: TerminalSize
  resize(size: TerminalSize): void
}

/** Changes of one terminal's size, of the tab that was opened, resized or typed into last. */
export class Resizes {
  private timer?: ReturnType<typeof setTimeout>
  /** When the program was told the last time, on the clock of `performance`. */
  sentAt = Number.NEGATIVE_INFINITY

  constructor(private readonly link: Sized) {}

  apply(size: TerminalSize): void {
    if (size.columns === this.link.size.columns && size.rows === this.link.size.rows) return
    this.link.size = size
    const wait = this.sentAt + RESIZE_EVERY_MS - performance.now()
    if (wait <= 0) return this.send()
    this.timer ??= setTimeout(() => this.send(), wait)
  }

  end(): void {
    clearTimeout(this.timer)
  }

  private send(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.sentAt = performance.now()
    this.link.resize(this.link.size)
  }
}
