// Takes objects away that no row needs any more: behind the requests that left them over, many at a time.
import { and, eq, lt, type SQL, sql } from 'drizzle-orm'
import type { Db } from '../db/client.ts'
import { agentOfKey, OUTPUT_PREFIX } from '../storage/keys.ts'
import type { Storage, StoredObject } from '../storage/storage.ts'
import { orphanedObjects, outputFiles } from './schema.ts'

const PORTION = 500
// Long enough that nothing younger can still be on its way to its row.
const ORPHAN_AGE_MS = 60_000
const UNKNOWN_AGE_MS = 30 * 60_000
// A storage that does not fit the database, as after a wrong restore, must not be emptied by a sweep.
const MAX_UNKNOWN = 100
const MAX_UNKNOWN_SHARE = 0.05
const MAX_NOTED = 50_000

/** Removes objects; what a fault or the end of the process cuts short is found again by the sweeps. */
export class ObjectRemovals {
  private waiting: string[] = []
  private running?: Promise<void>

  constructor(private readonly deps: { db: Db; storage: Storage }) {}

  /** Removes these soon, after the transaction that orphaned them. Never throws. */
  soon(keys: readonly string[]): void {
    if (keys.length === 0) return
    this.waiting.push(...keys)
    this.running ??= this.drain().finally(() => {
      this.running = undefined
    })
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.running
  }

  /** Removes what was orphaned and is still there. */
  async sweepOrphans(now = Date.now()): Promise<void> {
    for (;;) {
      const old = new Date(now - ORPHAN_AGE_MS)
      const rows = await this.deps.db.select().from(orphanedObjects).where(lt(orphanedObjects.orphanedAt, old)).limit(PORTION)
      if (rows.length === 0) return
      await this.remove(rows.map((row) => row.storageKey))
    }
  }

  /** Removes objects that never got a row, because the process died between the two. Returns how many. */
  async sweepUnknown(now = Date.now()): Promise<number> {
    const unknown: string[] = []
    let seen = 0
    for await (const portion of portions(this.deps.storage.list(OUTPUT_PREFIX))) {
      seen += portion.length
      const old = portion.filter(({ storedAt }) => now - storedAt.getTime() > UNKNOWN_AGE_MS).map(({ key }) => key)
      if (unknown.length < MAX_NOTED) unknown.push(...(await this.withoutRow(old)))
    }
    const doomed = unknown.slice(0, Math.max(MAX_UNKNOWN, Math.floor(seen * MAX_UNKNOWN_SHARE)))
    for (let from = 0; from < doomed.length; from += PORTION) await this.deps.storage.delete(doomed.slice(from, from + PORTION))
    return doomed.length
  }

  // By agent, because that is what rows are found by.
  private async withoutRow(keys: string[]): Promise<string[]> {
    const byAgent = Map.groupBy(keys, agentOfKey)
    const known = new Set<string>()
    for (const [agentId, own] of byAgent) {
      if (agentId === undefined) continue
      const rows = await this.deps.db
        .select({ key: outputFiles.storageKey })
        .from(outputFiles)
        .where(and(eq(outputFiles.agentId, agentId), sql`${outputFiles.storageKey} = any (${textsIn(own)})`))
      for (const { key } of rows) known.add(key)
    }
    return keys.filter((key) => agentOfKey(key) !== undefined && !known.has(key))
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const keys = this.waiting.splice(0, PORTION)
      // @NOTE their rows in orphaned_objects stay, so the sweep removes them once storage and database answer again.
      await this.remove(keys).catch(() => {})
    }
  }

  private async remove(keys: string[]): Promise<void> {
    await this.deps.storage.delete(keys)
    await this.deps.db.execute(sql`delete from orphaned_objects where storage_key = any (${textsIn(keys)})`)
  }
}

// An array, not a join: without figures about the table a join reads all of its rows.
function textsIn(keys: readonly string[]): SQL {
  return sql`array(select jsonb_array_elements_text(${JSON.stringify(keys)}::jsonb))`
}

async function* portions(objects: AsyncIterable<StoredObject>): AsyncIterable<StoredObject[]> {
  let portion: StoredObject[] = []
  for await (const object of objects) {
    portion.push(object)
    if (portion.length < PORTION) continue
    yield portion
    portion = []
  }
  yield portion
}
