// Slows down whoever makes accounts by the dozen: a registration costs a hash, and hashes are what everybody's sign-in waits for.
import { AppError } from '../lib/errors.ts'

const WINDOW_MS = 60 * 60_000
/** More than a class or a new team behind one address needs in an hour. */
const PER_ADDRESS = 60
const MAX_KEYS = 50_000

/** Counts registrations by address. */
export class RegistrationLimits {
  private readonly windows = new Map<string, { began: number; count: number }>()

  constructor(private readonly now: () => number = Date.now) {}

  /** Takes one of the address's turns. Throws `too_many` with the time to wait when there are none left. */
  take(address: string): void {
    const now = this.now()
    const present = this.windows.get(address)
    const window = present && now - present.began < WINDOW_MS ? present : { began: now, count: 0 }
    if (window.count >= PER_ADDRESS) {
      const waitS = Math.ceil((window.began + WINDOW_MS - now) / 1000)
      throw new AppError('too_many', 'rate_limited', `Too many accounts were made from here. Wait ${Math.ceil(waitS / 60)} minutes, then try again.`, { retryAfterS: waitS })
    }
    window.count++
    // Under a flood of addresses the oldest windows go first.
    if (!present && this.windows.size >= MAX_KEYS) for (const key of [...this.windows.keys()].slice(0, MAX_KEYS / 2)) this.windows.delete(key)
    this.windows.set(address, window)
  }
}
