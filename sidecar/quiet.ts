// How long a changed file is left alone before it is sent: not long for one change, longer for a file that keeps changing.

/** Pause after a first change. */
export const QUIET_MS = 50
/** The longest pause, and the longest that a change waits for a quiet moment. */
export const MAX_QUIET_MS = 5000
// Changes that are further apart are separate ones, each sent at once.
const STREAK_GAP_MS = 2000

/** When a file changed, in milliseconds of one clock. */
export interface Change {
  /** Last change before this one. */
  changed: number
  /** First of the changes that follow each other closely. */
  streak: number
  /** First change that is not sent; undefined when all are. */
  waiting?: number
}

/**
 * When to send a change that is seen at `at`. The pause grows to half of the time that the file has been changing for; and
 * however it goes on, a state of it is sent every few seconds.
 */
export function quietUntil(before: Change | undefined, at: number): { due: number; streak: number; waiting: number } {
  const streak = before && at - before.changed < STREAK_GAP_MS ? before.streak : at
  const waiting = before?.waiting ?? at
  const pause = Math.min(MAX_QUIET_MS, Math.max(QUIET_MS, (at - streak) / 2))
  return { due: Math.max(at, Math.min(at + pause, waiting + MAX_QUIET_MS)), streak, waiting }
}
