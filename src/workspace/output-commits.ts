// Turns stored objects and deletes into rows: many changes of one agent share one transaction, in their order of arrival.
import type { Db } from '../db/client.ts'
import { AppError } from '../lib/errors.ts'
import { type Committed, commitBatch, type Outcome, type OutputChange, type OutputQuota, type Wanted } from './output-batch.ts'
import type { ChangedRow } from './schema.ts'

const MAX_BATCH = 200

type Waiting = Wanted & { resolve(done: Committed): void; reject(error: unknown): void }

/**
 * Commits changes. While one transaction of an agent runs, later changes wait and go together into the next: the
 * counters' row is locked anyway, so sharing it turns a storm of small files into a few transactions.
 */
export class OutputCommits {
  private readonly queues = new Map<number, Waiting[]>()

  constructor(
    private readonly db: Db,
    /** Told once per transaction that changed something, with the rows that it left, in order. */
    private readonly announce: (agentId: number, rows: ChangedRow[]) => void,
  ) {}

  commit(agentId: number, change: OutputChange, quota: OutputQuota): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const waiting = { change, quota, resolve, reject }
      const queue = this.queues.get(agentId)
      if (queue) return void queue.push(waiting)
      this.queues.set(agentId, [waiting])
      void this.drain(agentId)
    })
  }

  private async drain(agentId: number): Promise<void> {
    // Those who come together, as out of one pack, go together.
    await Promise.resolve()
    for (;;) {
      const queue = this.queues.get(agentId)
      const batch = queue?.splice(0, MAX_BATCH) ?? []
      if (batch.length === 0) return void this.queues.delete(agentId)
      await this.run(agentId, batch)
    }
  }

  private async run(agentId: number, batch: Waiting[]): Promise<void> {
    try {
      const { outcomes, rows } = await this.db.transaction((tx) => commitBatch(tx, agentId, batch))
      // Those who watch are told first: they wait, the senders go on by themselves.
      if (rows.length > 0) this.announce(agentId, rows)
      this.settle(batch, outcomes)
    } catch (error) {
      // Only what the database itself will not take is worth another try: alone, so that it spoils no other change.
      if (batch.length > 1 && !(error instanceof AppError)) for (const item of batch) await this.run(agentId, [item])
      else for (const item of batch) item.reject(error)
    }
  }

  private settle(batch: Waiting[], outcomes: Outcome[]): void {
    batch.forEach((item, at) => {
      const outcome = outcomes[at]
      if (!outcome || outcome instanceof AppError) item.reject(outcome ?? new Error('a change had no outcome'))
      else item.resolve(outcome)
    })
  }
}
