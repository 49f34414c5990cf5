// Warnings that may come by the thousand: one of a kind is told, the others are counted.
import type { Fields, Logger } from '../src/lib/logger.ts'

const SILENCE_MS = 10_000

/** Tells each sentence at most once in ten seconds. */
export class Warnings {
  private readonly told = new Map<string, { until: number; more: number }>()

  constructor(private readonly log: Logger) {}

  /** `message` is one of a few fixed sentences; the fields are those of the one that is told. */
  warn(message: string, fields: Fields): void {
    const before = this.told.get(message)
    if (before && performance.now() < before.until) {
      before.more++
      return
    }
    this.told.set(message, { until: performance.now() + SILENCE_MS, more: 0 })
    this.log.warn(message, before && before.more > 0 ? { ...fields, likewise: before.more } : fields)
  }
}
