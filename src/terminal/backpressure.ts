// When a program has to wait for those who look at it, and when it must not.
import type { Viewer } from './viewer.ts'

/** A viewer that takes nothing for this long holds nobody back any more. */
const STALL_MS = 2000
// With others that take output, the fastest one is waited for no longer than this.
const LEAD_STALL_MS = 200
// The fastest viewer may fall this far behind before the others wait for it: half of what the ring can give it again.
const LEAD_LAG_BYTES = 128 * 1024
// A held-back dtach does not read input. It does after it could write what it holds and what its socket holds, and
// then reads one packet of eight bytes per 4 KiB of output.
const BACKLOG_BYTES = 192 * 1024
const OUTPUT_PER_INPUT = 4096 / 8
// Per tick of the hub's clock: 8 MiB/s for a program that nobody watches.
const UNSEEN_BYTES_PER_TICK = 2 * 1024 * 1024

/**
 * The fastest reader decides the pace: the program waits for it, but never while input is on its way. The slower ones
 * catch up from the ring, or skip. A program that floods while nobody takes anything is only slowed down.
 * All positions are offsets of the stream.
 */
export class Backpressure {
  // Up to this offset the upstream is read whatever the viewers do.
  private freeUntil = 0
  private lastTick = 0

  /** The upstream is a new one and has written up to `end`. */
  connected(end: number): void {
    this.freeUntil = end
  }

  /** Input goes to the program: it is read from until it can have taken that. */
  typed(end: number, bytes: number): void {
    this.freeUntil = Math.max(this.freeUntil, end + BACKLOG_BYTES) + bytes * OUTPUT_PER_INPUT
  }

  /** The hub's clock. Returns how many bytes came since the last tick. */
  tick(end: number): number {
    const came = end - this.lastTick
    this.lastTick = end
    return came
  }

  /** Whether the upstream is to be left unread for now. */
  holds(viewers: Iterable<Viewer>, end: number): boolean {
    return end >= this.freeUntil && this.mustWait(viewers, end)
  }

  private mustWait(viewers: Iterable<Viewer>, end: number): boolean {
    let lead: Viewer | undefined
    let free = false
    for (const viewer of viewers) {
      free ||= !viewer.blocked
      if (!viewer.stalled(STALL_MS) && (!lead || viewer.pace > lead.pace)) lead = viewer
    }
    if (!lead) return end - this.lastTick > UNSEEN_BYTES_PER_TICK
    if (!lead.blocked) return false
    return !free || (!lead.stalled(LEAD_STALL_MS) && end - lead.cursor > LEAD_LAG_BYTES)
  }
}
