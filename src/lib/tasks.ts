// Background work that nobody awaits: named, counted, logged when it fails, and waited for at shutdown.
import type { Logger } from './logger.ts'

/** Owner of work that goes on after its caller has returned. */
export class Tasks {
  private readonly running = new Set<Promise<void>>()
  private readonly timers = new Set<ReturnType<typeof setInterval>>()
  private readonly ending = new AbortController()

  constructor(private readonly logger: Logger) {}

  /** Aborted when the process shuts down; long work must heed it. */
  get signal(): AbortSignal {
    return this.ending.signal
  }

  /** Runs work now, in the background. */
  start(name: string, work: (signal: AbortSignal) => Promise<unknown>): void {
    const task: Promise<void> = work(this.ending.signal)
      .then(
        () => {},
        (error: unknown) => {
          if (!this.ending.signal.aborted) this.logger.error('background task failed', { task: name, error })
        },
      )
      .finally(() => this.running.delete(task))
    this.running.add(task)
  }

  /** Runs work again and again, never two at once; a failure is logged and the next turn comes all the same. */
  every(name: string, ms: number, work: (signal: AbortSignal) => Promise<unknown>): void {
    let busy = false
    const timer = setInterval(() => {
      if (busy || this.ending.signal.aborted) return
      busy = true
      this.start(name, (signal) =>
        work(signal).finally(() => {
          busy = false
        }),
      )
    }, ms)
    timer.unref?.()
    this.timers.add(timer)
  }

  /** Stops the clocks, tells running work to end and waits up to five seconds for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.ending.abort()
    for (const timer of this.timers) clearInterval(timer)
    const limit = new Promise<void>((resolve) => setTimeout(resolve, 5000).unref?.())
    await Promise.race([Promise.allSettled([...this.running]).then(() => {}), limit])
  }
}
