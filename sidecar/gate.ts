// Whether the server can be asked at all: closed for a while after it could not, then opened for one try.

const FIRST_WAIT_MS = 100
/** The longest wait between two tries. */
export const MAX_WAIT_MS = 30_000

/** The wait before try number `tries` + 1: doubles from 100 ms to 30 s, and differs between sidecars. */
export function backoffMs(tries: number): number {
  return Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2)
}

/** One gate for everything that is sent, so that an outage costs one small try at a time and its end opens all at once. */
export class Gate {
  private failures = 0
  private until = 0

  /** How many requests may be under way now, out of `limit`. */
  room(limit: number): number {
    if (this.waitMs > 0) return 0
    return this.failures > 0 ? 1 : limit
  }

  /** Milliseconds until the next try is allowed; 0 when it is. */
  get waitMs(): number {
    return Math.max(0, this.until - performance.now())
  }

  get isOpen(): boolean {
    return this.failures === 0
  }

  /** The server answered. */
  answered(): void {
    this.failures = 0
    this.until = 0
  }

  /** The server could not be reached or asked to be left alone for `atLeastMs`. Returns the wait when it is the first such news. */
  failed(atLeastMs = 0): number | undefined {
    // Requests that were under way together fail together: that is one failure.
    const isNews = this.waitMs === 0
    if (isNews) this.until = performance.now() + backoffMs(this.failures++)
    this.until = Math.max(this.until, performance.now() + atLeastMs)
    return isNews ? this.waitMs : undefined
  }
}
