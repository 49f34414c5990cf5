// A bounded number of turns at once; whoever waits longer than the limit is refused instead of queueing for ever.
import { AppError } from '../lib/errors.ts'

export interface GateOptions {
  slots: number
  waitMs: number
  /** A turn that takes longer than this is answered as failed; its slot stays taken until it really ends. */
  holdMs: number
}

type Waiter = { enter(): void; timer: ReturnType<typeof setTimeout> }

/** The bounded wait in front of the connection pool. */
export class Gate {
  private active = 0
  private readonly waiting = new Set<Waiter>()

  constructor(private readonly options: GateOptions) {}

  /** Runs work when a slot is free. Throws AppError `unavailable` `database_busy` after the wait, `database_down` when it hangs. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.active < this.options.slots) this.active++
    else await this.turn()
    const running = work().finally(() => this.leave())
    return withDeadline(running, this.options.holdMs)
  }

  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        enter: () => {
          clearTimeout(waiter.timer)
          resolve()
        },
        timer: setTimeout(() => {
          this.waiting.delete(waiter)
          reject(new AppError('unavailable', 'database_busy', 'The portal is very busy right now. Try again in a moment.', { retryAfterS: 1 }))
        }, this.options.waitMs),
      }
      this.waiting.add(waiter)
    })
  }

  private leave(): void {
    const [next] = this.waiting
    // The slot goes from hand to hand, so nobody can slip in between.
    if (!next) return void this.active--
    this.waiting.delete(next)
    next.enter()
  }
}

function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new AppError('unavailable', 'database_down', 'The database does not answer. Nothing is known to have changed; look again in a moment.', { retryAfterS: 2 })),
      ms,
    )
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
