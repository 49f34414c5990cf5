// Tables of an agent's files: rows and tombstones in one sequence, and the counters that limit them.
import { sql } from 'drizzle-orm'
import { bigint, bigserial, index, integer, pgTable, text, timestamp, unique } from 'drizzle-orm/pg-core'
import { agents } from '../agents/schema.ts'

/** One path in an agent's output. A deleted file stays as a tombstone, so that its sequence number can be replayed. */
export const outputFiles = pgTable(
  'output_files',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    agentId: bigint('agent_id', { mode: 'number' })
      .notNull()
      .references(() => agents.id, { onDelete: 'cascade' }),
    path: text('path').notNull(),
    size: bigint('size', { mode: 'number' }).notNull(),
    sha256: text('sha256').notNull(),
    contentType: text('content_type').notNull(),
    storageKey: text('storage_key').notNull(),
    /** Position in the agent's sequence; the newest change of this path. */
    seq: bigint('seq', { mode: 'number' }).notNull(),
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    unique('output_files_path').on(table.agentId, table.path),
    index('output_files_seq').on(table.agentId, table.seq),
    index('output_files_tombstones').on(table.agentId, table.seq).where(sql`deleted_at is not null`),
  ],
)

/** Counters of one agent's output; changed only in the transaction that changes a row. */
export const outputCounters = pgTable('output_counters', {
  agentId: bigint('agent_id', { mode: 'number' })
    .primaryKey()
    .references(() => agents.id, { onDelete: 'cascade' }),
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull().default(0),
  usedBytes: bigint('used_bytes', { mode: 'number' }).notNull().default(0),
  fileCount: integer('file_count').notNull().default(0),
  /** The newest change that is remembered no more; positions before it cannot be replayed from. */
  forgottenSeq: bigint('forgotten_seq', { mode: 'number' }).notNull().default(0),
})

/** Objects that no row needs any more; removed from storage after the row is gone. */
export const orphanedObjects = pgTable('orphaned_objects', {
  storageKey: text('storage_key').primaryKey(),
  orphanedAt: timestamp('orphaned_at', { withTimezone: true }).notNull().defaultNow(),
})

export type OutputFileRow = typeof outputFiles.$inferSelect

/** What listeners are told of a row. */
export type ChangedRow = Pick<OutputFileRow, 'path' | 'size' | 'seq' | 'deletedAt'>
