// Tables of agents and of the tokens that their sandboxes hold.
import { sql } from 'drizzle-orm'
import { bigint, bigserial, index, integer, jsonb, pgTable, real, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { users } from '../users/schema.ts'

/** What the CLI is told that is no secret. Names follow the reference's JSON. */
export interface AgentConfig {
  provider: string
  anthropic_base_url: string
  anthropic_haiku_model: string
  anthropic_sonnet_model: string
  anthropic_opus_model: string
  http_proxy: string
  https_proxy: string
  /** Variables of the user; a secret one has no `value` here but an entry in `secrets` under `env:NAME`. */
  custom_envs: { key: string; value?: string; secret: boolean }[]
}

/** One sealed value: what may be shown, and the ciphertext bound to its row. */
export interface SealedSecret {
  last4: string
  setAt: string
  ciphertext: string
}

export const agents = pgTable(
  'agents',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    createdBy: bigint('created_by', { mode: 'number' })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** Never the same for two agents, whereas ids are given out again after a restored database. Null for those of before it. */
    birth: uuid('birth').default(sql`gen_random_uuid()`),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
    icon: text('icon').notNull().default('bot'),
    instructions: text('instructions').notNull().default(''),
    config: jsonb('config').$type<AgentConfig>().notNull(),
    /** `anthropic_auth_token`, and `env:NAME` for each secret variable. */
    secrets: jsonb('secrets').$type<Record<string, SealedSecret>>().notNull().default({}),
    /** Overrides of the hierarchy; null takes the user's or the system's value. */
    cpuLimit: real('cpu_limit'),
    memoryLimitMb: integer('memory_limit_mb'),
    /** Image of its own; null takes the user's or the system's. */
    image: text('image'),
    /** Image that it was last started with; empty where there are none. */
    startedImage: text('started_image'),
    /** Rises with every edit; `If-Match` compares it. */
    version: integer('version').notNull().default(1),
    /** Rises with every start of the sandbox. */
    generation: integer('generation').notNull().default(0),
    /** Edit version that the running sandbox was started with; a smaller one than `restartVersion` needs a restart. */
    startedVersion: integer('started_version').notNull().default(0),
    restartVersion: integer('restart_version').notNull().default(1),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    /** Set when the owner deletes it; the reconcile loop removes sandbox, files and row. */
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
  },
  (table) => [index('agents_created_by').on(table.createdBy)],
)

/** Hash of the only token that a sandbox's sidecar holds, valid for one generation. */
export const sandboxTokens = pgTable('sandbox_tokens', {
  tokenHash: text('token_hash').primaryKey(),
  agentId: bigint('agent_id', { mode: 'number' })
    .notNull()
    .unique()
    .references(() => agents.id, { onDelete: 'cascade' }),
  generation: integer('generation').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

export type AgentRow = typeof agents.$inferSelect
