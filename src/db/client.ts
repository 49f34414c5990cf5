// Access to PostgreSQL: a pool whose wait is bounded, deadlines for every query, and failures as sentences.
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Logger } from '../lib/logger.ts'
import { unreachable } from './failures.ts'
import { Pool } from './pool.ts'
import * as schema from './schema.ts'

export type Db = ReturnType<typeof drizzle<typeof schema>>
export type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0]

/** Runs work in a transaction and returns what it returns. Whoever hands one in adds work of its own to that transaction. */
export type Within = <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>

export interface Database {
  /** Throws AppError `unavailable` or `disk_full` for failures of the database, at most `poolWaitMs` or the deadline after the call. */
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
  /** The server cancels a statement after this; half a second later a query or transaction has failed in any case. */
  statementTimeoutMs: number
  logger: Logger
}

const CONNECT_TIMEOUT_S = 2
const RETRY_MAX_S = 0.5

/** Opens the pool; connections are made when they are needed. Queries beyond the pool wait, then fail as `unavailable`. */
export function openDatabase({ url, poolSize, poolWaitMs, statementTimeoutMs, logger }: DatabaseOptions): Database {
  const pool = new Pool(
    () =>
      connect(url, {
        max: poolSize,
        idle_timeout: 60,
        connection: { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: 30_000, application_name: 'sac' },
        onnotice: (notice) => logger.debug('database notice', { notice: notice.message }),
      }),
    { slots: poolSize, waitMs: poolWaitMs, limitMs: statementTimeoutMs + 500 },
  )
  const probe = new Probe(url)
  return {
    db: drizzle(pool.client, { schema }),
    ping: (timeoutMs) => probe.ping(timeoutMs),
    close: async () => {
      await Promise.all([pool.close(), probe.close()])
    },
  }
}

/** A postgres.js client for a URL; `socket=DIR` in the query connects through the Unix socket in that folder. Arrays are no parameters. */
export function connect(url: string, options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const defaults = {
    connect_timeout: CONNECT_TIMEOUT_S,
    // The driver's own pause between attempts grows to 20 s; a database that is back must be in use at once.
    backoff: (retries: number) => Math.min(RETRY_MAX_S, 0.02 * 2 ** retries),
    // The driver would ask for the array types on every connection, and nobody could catch the failure of that.
    fetch_types: false,
  }
  const socket = /[?&]socket=([^&]+)/.exec(url)
  if (!socket) return postgres(url, { ...defaults, ...options })
  const folder = decodeURIComponent(socket[1] ?? '')
  return postgres(url.replace(/\?.*$/, ''), { ...defaults, ...options, host: folder, port: 5432, path: `${folder}/.s.PGSQL.5432` })
}

// A connection of its own: a busy pool is no reason to call the database down.
class Probe {
  private connection?: postgres.Sql
  private asking?: Promise<void>

  constructor(private readonly url: string) {}

  ping(timeoutMs: number): Promise<void> {
    this.asking ??= this.ask(timeoutMs).finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  async close(): Promise<void> {
    await this.connection?.end({ timeout: 1 })
  }

  private async ask(timeoutMs: number): Promise<void> {
    const connection = this.connection ?? connect(this.url, { max: 1, idle_timeout: 60, onnotice() {} })
    this.connection = connection
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      await Promise.race([connection`select 1`, late])
    } catch (cause) {
      this.connection = undefined
      void connection.end({ timeout: 0 })
      throw unreachable(cause)
    } finally {
      clearTimeout(timer)
    }
  }
}
