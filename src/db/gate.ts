// A bounded number of turns at once, each with a deadline: nobody queues for ever, and nobody waits for a dead server.
import { AppError } from '../lib/errors.ts'

export interface GateOptions {
  slots: number
  /** How long a turn may wait for its slot. */
  waitMs: number
  /** How long a caller waits in all. A turn past it is answered as failed; its slot stays taken until it really ends. */
  limitMs: number
  /** A turn still has not ended, twice the limit after it was asked for: whatever it waits for is dead. */
  onDead(): void
}

/** What a turn may ask while it runs. */
export interface Turn {
  /** Throws what the caller was told, once the deadline has passed: nothing more may be done for nobody. */
  check(): void
}

interface Waiter {
  enter(): void
}

/** The bounded wait in front of the connection pool. */
export class Gate {
  private active = 0
  private readonly waiting = new Set<Waiter>()

  constructor(private readonly options: GateOptions) {}

  /** Runs work when a slot is free. Throws AppError `unavailable`: `database_busy` without a slot, `database_slow` past the deadline. */
  async run<T>(work: (turn: Turn) => Promise<T>): Promise<T> {
    const began = performance.now()
    if (this.active < this.options.slots) this.active++
    else await this.slot()
    const { limitMs, onDead } = this.options
    let late: AppError | undefined
    let refuse: (error: AppError) => void = () => {}
    const refused = new Promise<never>((_resolve, reject) => {
      refuse = reject
    })
    const deadline = setTimeout(
      () => {
        late = tooSlow()
        refuse(late)
      },
      limitMs - (performance.now() - began),
    )
    const dead = setTimeout(onDead, 2 * limitMs)
    const ended = () => {
      clearTimeout(deadline)
      clearTimeout(dead)
      this.leave()
    }
    const check = () => {
      if (late) throw late
    }
    return Promise.race([work({ check }).finally(ended), refused])
  }

  private slot(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(waiter)
        reject(new AppError('unavailable', 'database_busy', 'The portal is very busy right now. Try again in a moment.', { retryAfterS: 1 }))
      }, this.options.waitMs)
      const waiter: Waiter = {
        enter: () => {
          clearTimeout(timer)
          resolve()
        },
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

function tooSlow(): AppError {
  return new AppError('unavailable', 'database_slow', 'The database does not answer right now. Look whether the change was made, then try again in a moment.', { retryAfterS: 2 })
}
