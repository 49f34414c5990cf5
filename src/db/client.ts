// provisional
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import * as schema from './schema.ts'
import type { Logger } from '../lib/logger.ts'

export type Db = ReturnType<typeof drizzle<typeof schema>>
export type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0]
export interface Database { db: Db; sql: postgres.Sql; ping(timeoutMs: number): Promise<void>; close(): Promise<void> }
export function openDatabase(o: { url: string; poolSize: number; poolWaitMs: number; statementTimeoutMs: number; logger: Logger }): Database {
  const sql = postgres(o.url, { max: o.poolSize, onnotice() {} })
  return { db: drizzle(sql, { schema }), sql, ping: async () => { await sql`select 1` }, close: () => sql.end({ timeout: 2 }) }
}
