// Carries rollouts out, in whichever replica leads: looks at rows as they are, so that a killed server's successor goes on.
import { eq, or, sql } from 'drizzle-orm'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db/client.ts'
import type { Logger } from '../lib/logger.ts'
import type { Tasks } from '../lib/tasks.ts'
import type { DormantAgents } from './dormant.ts'
import type { Rollouts } from './rollouts.ts'
import { type RolloutAgentRow, type RolloutRow, rollouts } from './schema.ts'
import type { RolloutSteps } from './steps.ts'

const EVERY_MS = 1000
const MAX_ATTEMPTS = 6
const FIRST_RETRY_MS = 1000

interface Deps {
  db: Db
  bus: Bus
  rollouts: Rollouts
  steps: RolloutSteps
  dormant: DormantAgents
  tasks: Tasks
  logger: Logger
  isLeader: () => Promise<boolean>
}

/** The loop over rollouts that are not over. */
export class RolloutRunner {
  private running?: Promise<void>
  private wanted = false

  constructor(private readonly deps: Deps) {}

  /** Begins to look, on a clock and when something happens to a rollout. Returns the way to stop hearing. */
  start(): () => void {
    const { bus, tasks } = this.deps
    tasks.every('rollouts', EVERY_MS, () => this.turn())
    return bus.subscribe((event) => {
      if (event.kind === 'rollout.changed') tasks.start('rollout', () => this.turn())
    })
  }

  /** One look at everything that is not over; asked again meanwhile, it looks once more. */
  async turn(): Promise<void> {
    if (this.running) {
      this.wanted = true
      return this.running
    }
    this.running = (async () => {
      do {
        this.wanted = false
        await this.look()
      } while (this.wanted && !this.deps.tasks.signal.aborted)
    })().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  private async look(): Promise<void> {
    const { db, isLeader, logger } = this.deps
    if (!(await isLeader())) return
    const open = sql`exists (select 1 from rollout_agents r where r.rollout_id = ${rollouts.id} and r.state = 'updating')`
    const rows = await db
      .select()
      .from(rollouts)
      .where(or(eq(rollouts.status, 'running'), open))
      .orderBy(rollouts.id)
    for (const rollout of rows) {
      await this.advance(rollout).catch((error: unknown) => logger.warn('a rollout could not go on; it is looked at again', { rolloutId: rollout.id, error }))
    }
  }

  private async advance(rollout: RolloutRow): Promise<void> {
    const { steps, dormant, rollouts: all } = this.deps
    for (const row of await steps.settled(rollout)) await steps.look(rollout, row)
    if (rollout.status !== 'running') return
    await dormant.skipDeleted(rollout)
    const { counts } = await all.get(rollout.id)
    if (counts.updating > 0) return
    if (counts.failed >= rollout.maxFailures && counts.queued > 0) {
      const failed = counts.failed === 1 ? 'One agent' : `${counts.failed} agents`
      return all.end(rollout, 'stopped', `${failed} failed with this image, so no further wave began.`, 'The rollout was stopped before its turn.')
    }
    if (counts.queued === 0) return all.end(rollout, 'done', null, '')
    const turn = await dormant.turn(rollout)
    if (turn === 'never') {
      return all.end(rollout, 'stopped', 'No agent came up with this image, so those that do not run keep the one that they have.', 'No running agent came up with this image.')
    }
    if (turn === 'now') await dormant.pass(rollout)
    await this.beginWave(rollout)
  }

  private async beginWave(rollout: RolloutRow): Promise<void> {
    const { steps } = this.deps
    const due = await steps.due(rollout)
    if (due.length === 0) return
    const wave = await steps.claimWave(rollout)
    if (wave === undefined) return
    for (const row of due) await steps.begin(rollout, row, wave).catch((error: unknown) => this.failed(row, error))
  }

  private async failed(row: RolloutAgentRow, error: unknown): Promise<void> {
    const { logger, steps } = this.deps
    logger.warn('an agent could not get its image yet', { agentId: row.agentId, attempts: row.attempts + 1, error })
    const isLast = row.attempts + 1 >= MAX_ATTEMPTS
    await steps.postpone(row, FIRST_RETRY_MS * 2 ** row.attempts, isLast ? 'The portal could not change it. Look at the log and begin another rollout.' : undefined)
  }
}
