// Forgets deleted files after a while: an agent that makes and removes names all day must not fill the database.
import { eq, sql } from 'drizzle-orm'
import type { Db } from '../db/client.ts'
import { outputCounters } from './schema.ts'

const KEPT_MS = 24 * 60 * 60 * 1000
const KEPT_CHANGES = 10_000
const AGENTS_AT_ONCE = 100
const PORTION = 2000

/** Removes tombstones of more than a day or ten thousand changes ago. Readers from before them are told to start afresh. */
export async function forgetTombstones(db: Db, now = Date.now()): Promise<void> {
  const before = new Date(now - KEPT_MS).toISOString()
  for (;;) {
    const agents = await db.execute<{ id: number }>(sql`
      select c.agent_id::float8 as id from output_counters c where exists (select 1 from output_files f
        where f.agent_id = c.agent_id and f.deleted_at is not null and (f.deleted_at < ${before}::timestamptz or f.seq <= c.last_seq - ${KEPT_CHANGES}::bigint))
      limit ${AGENTS_AT_ONCE}`)
    for (const { id } of agents) await forgetOf(db, id, before)
    if (agents.length === 0) return
  }
}

async function forgetOf(db: Db, agentId: number, before: string): Promise<void> {
  await db.transaction(async (tx) => {
    // The lock that every change of this agent's files takes first.
    await tx.select({ seq: outputCounters.lastSeq }).from(outputCounters).where(eq(outputCounters.agentId, agentId)).for('update')
    await tx.execute(sql`
      with gone as (delete from output_files where id in (select f.id from output_files f join output_counters c on c.agent_id = f.agent_id
          where f.agent_id = ${agentId}::bigint and f.deleted_at is not null and (f.deleted_at < ${before}::timestamptz or f.seq <= c.last_seq - ${KEPT_CHANGES}::bigint)
          order by f.seq limit ${PORTION}) returning seq)
      update output_counters set forgotten_seq = greatest(forgotten_seq, (select max(seq) from gone)) where agent_id = ${agentId}::bigint`)
  })
}
