// Access to PostgreSQL: a pool whose wait is bounded, deadlines for every query, and failures as sentences.
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { Gate } from './gate.ts'
import * as schema from './schema.ts'

export type Db = ReturnType<typeof drizzle<typeof schema>>
export type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0]

export interface Database {
  db: Db
  /** Rejects with AppError `unavailable` when the server does not answer in time. */
  ping(timeoutMs: number): Promise<void>
  close(): Promise<void>
}

export interface DatabaseOptions {
  url: string
  poolSize: number
  /** How long a query waits for a free connection before it fails. */
  poolWaitMs: number
  statementTimeoutMs: number
  logger: Logger
}

/** Opens the pool; connections are made when they are needed. Queries beyond the pool wait, then fail as `unavailable`. */
export function openDatabase({ url, poolSize, poolWaitMs, statementTimeoutMs, logger }: DatabaseOptions): Database {
  const sql = connect(url, {
    max: poolSize,
    connect_timeout: 3,
    idle_timeout: 60,
    connection: { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: 30_000, application_name: 'sac' },
    onnotice: (notice) => logger.debug('database notice', { notice: notice.message }),
  })
  const gate = new Gate({ slots: poolSize, waitMs: poolWaitMs, holdMs: statementTimeoutMs + 500 })
  return {
    db: drizzle(gated(sql, gate), { schema }),
    async ping(timeoutMs) {
      const late = new Promise<never>((_resolve, reject) => setTimeout(() => reject(new Error('no answer')), timeoutMs).unref?.())
      await Promise.race([sql`select 1`, late]).catch((cause: unknown) => {
        throw databaseDown(cause)
      })
    },
    close: () => sql.end({ timeout: 2 }),
  }
}

/** A postgres.js client for a URL; `socket=DIR` in the query connects through the Unix socket in that folder. */
export function connect(url: string, options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const parsed = new URL(url)
  const socket = parsed.searchParams.get('socket')
  parsed.searchParams.delete('socket')
  return postgres(parsed.href, { ...options, ...(socket ? { host: socket, path: `${socket}/.s.PGSQL.5432` } : {}) })
}

/** Puts the gate before every statement and transaction that starts outside a transaction. */
function gated(sql: postgres.Sql, gate: Gate): postgres.Sql {
  return new Proxy(sql, {
    get(target, name, receiver) {
      if (name === 'unsafe') return (...args: Parameters<postgres.Sql['unsafe']>) => query(gate, () => target.unsafe(...args))
      if (name === 'begin') return (...args: unknown[]) => gate.run(() => (target.begin as (...given: unknown[]) => Promise<unknown>)(...args)).catch(translated)
      return Reflect.get(target, name, receiver)
    },
  })
}

// Drizzle calls `client.unsafe(text, params)` and awaits it, or `.values()` of it.
function query(gate: Gate, start: () => ReturnType<postgres.Sql['unsafe']>) {
  const run = (shape: (pending: ReturnType<postgres.Sql['unsafe']>) => PromiseLike<unknown>) => gate.run(async () => shape(start())).catch(translated)
  return {
    values: () => run((pending) => pending.values()),
    // biome-ignore lint/suspicious/noThenProperty: stands in for a lazy query of postgres.js, which is a thenable
    then: (resolve: (value: unknown) => unknown, reject: (reason: unknown) => unknown) => run((pending) => pending).then(resolve, reject),
  }
}

const CONNECTION_CODES = /^(ECONN|ENOENT|EPIPE|ETIMEDOUT|CONNECT|CONNECTION|57P0[123]|53\d\d\d|08\d\d\d)/

function translated(error: unknown): never {
  const code = String((error as { code?: unknown } | null)?.code ?? '')
  if (error instanceof AppError) throw error
  if (code === '53100')
    throw new AppError('disk_full', 'disk_full', 'The disk of the database is full. Nothing was changed; ask an admin to make room.', { cause: error, retryAfterS: 30 })
  if (code === '57014') throw new AppError('unavailable', 'database_slow', 'The database took too long to answer. Try again in a moment.', { cause: error, retryAfterS: 2 })
  if (CONNECTION_CODES.test(code)) throw databaseDown(error)
  throw error
}

function databaseDown(cause: unknown): AppError {
  return new AppError('unavailable', 'database_down', 'The database cannot be reached right now. Nothing was changed; try again in a moment.', { cause, retryAfterS: 2 })
}
