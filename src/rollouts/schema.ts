// Tables of rollouts: one row for each, and one for each agent of it.
import { sql } from 'drizzle-orm'
import { bigint, bigserial, boolean, index, integer, pgTable, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'
import { agents } from '../agents/schema.ts'
import { users } from '../users/schema.ts'

export const ROLLOUT_STATUSES = ['running', 'done', 'stopped', 'canceled'] as const
export type RolloutStatus = (typeof ROLLOUT_STATUSES)[number]

export const ROLLOUT_STATES = ['queued', 'updating', 'done', 'failed', 'skipped'] as const
export type RolloutState = (typeof ROLLOUT_STATES)[number]

export const rollouts = pgTable(
  'rollouts',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    /** The image that the agents get; null takes theirs away, so that the settings decide. */
    image: text('image'),
    waveSize: integer('wave_size').notNull(),
    /** With so many failures no further wave begins. */
    maxFailures: integer('max_failures').notNull(),
    /** How long nothing may have happened at an agent that is not left alone as busy. */
    quietSeconds: integer('quiet_seconds').notNull(),
    /** Until when busy agents are left alone. */
    busyUntil: timestamp('busy_until', { withTimezone: true }).notNull(),
    status: text('status', { enum: ROLLOUT_STATUSES }).notNull().default('running'),
    /** Why it was stopped. */
    reason: text('reason'),
    /** Number of the last wave that began; 0 before the first. */
    wave: integer('wave').notNull().default(0),
    createdBy: bigint('created_by', { mode: 'number' }).references(() => users.id, { onDelete: 'set null' }),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (table) => [index('rollouts_status').on(table.status)],
)

export const rolloutAgents = pgTable(
  'rollout_agents',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    rolloutId: bigint('rollout_id', { mode: 'number' })
      .notNull()
      .references(() => rollouts.id, { onDelete: 'cascade' }),
    /** Null once the agent is gone; its name stays. */
    agentId: bigint('agent_id', { mode: 'number' }).references(() => agents.id, { onDelete: 'set null' }),
    userId: bigint('user_id', { mode: 'number' }).notNull(),
    name: text('name').notNull(),
    state: text('state', { enum: ROLLOUT_STATES }).notNull().default('queued'),
    wave: integer('wave'),
    /** The new image did not come up, and the agent gets the one that it had. */
    goingBack: boolean('going_back').notNull().default(false),
    /** What `agents.image` was before. */
    formerImage: text('former_image'),
    /** What the agent ran before. */
    formerStarted: text('former_started'),
    /** Its start before it had the image; the ones after it are with it. */
    formerGeneration: integer('former_generation'),
    /** It ran with the image. False for one that did not run when it got it: its first start tells. */
    cameUp: boolean('came_up').notNull().default(false),
    reason: text('reason'),
    attempts: integer('attempts').notNull().default(0),
    retryAt: timestamp('retry_at', { withTimezone: true }),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('rollout_agents_rollout').on(table.rolloutId, table.state),
    index('rollout_agents_agent').on(table.agentId, table.id),
    uniqueIndex('rollout_agents_one_active').on(table.agentId).where(sql`state in ('queued', 'updating')`),
  ],
)

export type RolloutRow = typeof rollouts.$inferSelect
export type RolloutAgentRow = typeof rolloutAgents.$inferSelect
