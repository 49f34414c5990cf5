// Slows down guessing: counters of failures per account and address, per account and per address, with growing pauses.

interface Counter {
  failures: number
  windowStart: number
  blockedUntil: number
  /** How often this key was blocked in a row; doubles the pause. */
  strikes: number
}

interface Rule {
  key: string
  failures: number
}

const WINDOW_MS = 60_000
const MAX_PAUSE_MS = 60_000
const MAX_KEYS = 50_000
const PER_PAIR = 5
const PER_ADDRESS = 20
const PER_ACCOUNT = 100

/** Counts failed sign-ins. An account is never locked for good, and the right password from another address works. */
export class SignInLimits {
  private readonly counters = new Map<string, Counter>()

  constructor(private readonly now: () => number = Date.now) {}

  /** Whole seconds to wait, or 0 when a try is allowed. */
  waitS(account: string, address: string): number {
    const until = Math.max(...rules(account, address).map(({ key }) => this.counters.get(key)?.blockedUntil ?? 0))
    return Math.max(0, Math.ceil((until - this.now()) / 1000))
  }

  /** Notes a failure; returns how many tries are left before the next pause. */
  failed(account: string, address: string): number {
    if (this.counters.size > MAX_KEYS) this.forget()
    return Math.min(...rules(account, address).map((rule) => this.count(rule)))
  }

  /** A success clears what this address did to this account; the address-wide count stays. */
  succeeded(account: string, address: string): void {
    this.counters.delete(`pair ${account} ${address}`)
  }

  private count({ key, failures }: Rule): number {
    const now = this.now()
    const old = this.counters.get(key)
    const counter =
      old && now - old.windowStart < WINDOW_MS ? old : { failures: 0, windowStart: now, blockedUntil: 0, strikes: old && now - old.windowStart < 10 * WINDOW_MS ? old.strikes : 0 }
    counter.failures++
    if (counter.failures >= failures) {
      counter.blockedUntil = now + Math.min(MAX_PAUSE_MS, 15_000 * 2 ** counter.strikes)
      counter.strikes = Math.min(counter.strikes + 1, 8)
      counter.failures = 0
    }
    this.counters.set(key, counter)
    return counter.blockedUntil > now ? 0 : failures - counter.failures
  }

  private forget(): void {
    const now = this.now()
    for (const [key, counter] of this.counters) if (now - counter.windowStart > WINDOW_MS && counter.blockedUntil < now) this.counters.delete(key)
    // Under a flood of made-up names the oldest keys go first.
    for (const key of this.counters.keys()) {
      if (this.counters.size <= MAX_KEYS / 2) break
      this.counters.delete(key)
    }
  }
}

function rules(account: string, address: string): Rule[] {
  return [
    { key: `pair ${account} ${address}`, failures: PER_PAIR },
    { key: `address ${address}`, failures: PER_ADDRESS },
    { key: `account ${account}`, failures: PER_ACCOUNT },
  ]
}
