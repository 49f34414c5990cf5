// Table of sessions: what should run, how far it is, and why it failed.
import { sql } from 'drizzle-orm'
import { bigint, bigserial, index, integer, jsonb, pgTable, text, timestamp, unique, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { agents } from '../agents/schema.ts'
import type { StartStep } from '../runtime/runtime.ts'
import { users } from '../users/schema.ts'

/** What a session may be at; a deleted one makes room for the agent's next. */
export const SESSION_STATUSES = ['creating', 'running', 'idle', 'asleep', 'stopped', 'failed', 'deleted'] as const
/** One of them. */
export type SessionStatus = (typeof SESSION_STATUSES)[number]

/** Those in which a sandbox runs. */
export const UP: SessionStatus[] = ['running', 'idle']

/** Those in which one runs or is about to. */
export const LIVE: SessionStatus[] = ['creating', ...UP]

/** One finished or current step of a start; times are milliseconds since the start. */
export interface StepRecord {
  step: StartStep
  startedMs: number
  endedMs?: number
  detail?: string
  done?: number
  total?: number
}

/** One for each agent, beside those that were deleted. */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    userId: bigint('user_id', { mode: 'number' })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    agentId: bigint('agent_id', { mode: 'number' })
      .notNull()
      .references(() => agents.id, { onDelete: 'cascade' }),
    status: text('status', { enum: SESSION_STATUSES }).notNull().default('creating'),
    steps: jsonb('steps').$type<StepRecord[]>().notNull().default([]),
    /** Why it failed or stopped, as a sentence with a next step. */
    reason: text('reason'),
    /** A warning that stays visible while it runs, for example that isolation is off. */
    warning: text('warning'),
    /** What an admin did with it, for its owner. */
    notice: text('notice'),
    /** What the CLI does now: `working`, `waiting`, `needs-you`. */
    activity: text('activity', { enum: ['working', 'waiting', 'needs-you'] }),
    activityDetail: text('activity_detail'),
    /** Colours that the CLI was started with. */
    theme: text('theme', { enum: ['light', 'dark'] })
      .notNull()
      .default('dark'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    readyAt: timestamp('ready_at', { withTimezone: true }),
    lastActive: timestamp('last_active', { withTimezone: true }).notNull().defaultNow(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [uniqueIndex('sessions_one_per_agent').on(table.agentId).where(sql`status <> 'deleted'`), index('sessions_user').on(table.userId)],
)

/** A row of `sessions`. */
export type SessionRow = typeof sessions.$inferSelect

/** What a start has come to so far. */
export const START_OUTCOMES = ['starting', 'ready', 'failed', 'ended'] as const

/** The last starts of each agent's sandbox, for admins. */
export const sandboxStarts = pgTable(
  'sandbox_starts',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    agentId: bigint('agent_id', { mode: 'number' })
      .notNull()
      .references(() => agents.id, { onDelete: 'cascade' }),
    /** The session's start that it belongs to. */
    startedAt: timestamp('started_at', { withTimezone: true }).notNull(),
    generation: integer('generation'),
    outcome: text('outcome', { enum: START_OUTCOMES }).notNull().default('starting'),
    /** What had ended the sandbox before, where it came back by itself. */
    cause: text('cause'),
    /** Why it waited, failed or ended, in the words that its owner saw. */
    reason: text('reason'),
    /** What that was read from, in the system's own words, without secrets. */
    evidence: text('evidence'),
    steps: jsonb('steps').$type<StepRecord[]>().notNull().default([]),
    readyAt: timestamp('ready_at', { withTimezone: true }),
    endedAt: timestamp('ended_at', { withTimezone: true }),
  },
  (table) => [unique('sandbox_starts_once').on(table.agentId, table.startedAt)],
)

/** A row of `sandbox_starts`. */
export type SandboxStartRow = typeof sandboxStarts.$inferSelect

/** What each agent's sandbox has found out about its network. */
export const networkReports = pgTable(
  'network_reports',
  {
    agentId: bigint('agent_id', { mode: 'number' })
      .primaryKey()
      .references(() => agents.id, { onDelete: 'cascade' }),
    /** The start that it was found out in. */
    generation: integer('generation').notNull(),
    network: text('network', { enum: ['open', 'closed'] }).notNull(),
    reportedAt: timestamp('reported_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('network_reports_open').on(table.reportedAt).where(sql`network = 'open'`)],
)
