// Turns stored objects and deletes into rows: many changes of one agent share one transaction, in their order of arrival.
import { and, eq, gte, inArray, isNull, lt, sql } from 'drizzle-orm'
import type { Db, Transaction } from '../db/client.ts'
import { AppError } from '../lib/errors.ts'
import { type OutputFileRow, orphanedObjects, outputCounters, outputFiles } from './schema.ts'

/** An object that lies in storage and wants a row. */
export interface StoreChange {
  kind: 'store'
  path: string
  size: number
  sha256: string
  contentType: string
  storageKey: string
}

/** Paths to remove: one file, or everything below a folder when `folder` is set. */
export interface RemoveChange {
  kind: 'remove'
  path: string
  folder: boolean
}

export type OutputChange = StoreChange | RemoveChange

/** What a change came to. `orphans` are storage keys that no row needs any more. */
export interface Committed {
  seq: number
  changed: boolean
  created: boolean
  orphans: string[]
}

export interface OutputQuota {
  maxBytes: number
  maxFiles: number
}

const MAX_BATCH = 200

type Waiting = { change: OutputChange; quota: OutputQuota; resolve(done: Committed): void; reject(error: unknown): void }
type Counters = { lastSeq: number; usedBytes: number; fileCount: number }
type Outcome = Committed | AppError

/**
 * Commits changes. While one transaction of an agent runs, later changes wait and go together into the next: the
 * counters' row is locked anyway, so sharing it turns a storm of small files into a few transactions.
 */
export class OutputCommits {
  private readonly queues = new Map<number, Waiting[]>()

  constructor(
    private readonly db: Db,
    /** Told once per transaction that changed something, with the newest sequence number. */
    private readonly announce: (agentId: number, seq: number) => void,
  ) {}

  commit(agentId: number, change: OutputChange, quota: OutputQuota): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const waiting = { change, quota, resolve, reject }
      const queue = this.queues.get(agentId)
      if (queue) return void queue.push(waiting)
      this.queues.set(agentId, [waiting])
      void this.drain(agentId)
    })
  }

  private async drain(agentId: number): Promise<void> {
    for (;;) {
      const queue = this.queues.get(agentId)
      const batch = queue?.splice(0, MAX_BATCH) ?? []
      if (batch.length === 0) return void this.queues.delete(agentId)
      try {
        const outcomes = await this.db.transaction((tx) => commitBatch(tx, agentId, batch))
        this.settle(agentId, batch, outcomes)
      } catch (error) {
        for (const item of batch) item.reject(error)
      }
    }
  }

  private settle(agentId: number, batch: Waiting[], outcomes: Outcome[]): void {
    let newest = 0
    batch.forEach((item, at) => {
      const outcome = outcomes[at]
      if (!outcome || outcome instanceof AppError) return item.reject(outcome ?? new Error('a change had no outcome'))
      if (outcome.changed) newest = Math.max(newest, outcome.seq)
      item.resolve(outcome)
    })
    if (newest > 0) this.announce(agentId, newest)
  }
}

async function commitBatch(tx: Transaction, agentId: number, batch: Waiting[]): Promise<Outcome[]> {
  await tx.insert(outputCounters).values({ agentId }).onConflictDoNothing()
  const [counters] = await tx.select().from(outputCounters).where(eq(outputCounters.agentId, agentId)).for('update')
  if (!counters) throw new Error('an agent has no counters')
  const state = await readState(tx, agentId, batch)
  const before = { ...counters }
  const outcomes = batch.map(({ change, quota }) => (change.kind === 'store' ? store(state, counters, change, quota) : remove(state, counters, change)))
  await writeState(tx, agentId, state, counters, before)
  return outcomes
}

interface BatchState {
  /** Live rows and tombstones that the batch may touch, by path. */
  rows: Map<string, OutputFileRow>
  /** Paths that are folders, because a live row lies below them. */
  folders: Map<string, number>
  dirty: Map<string, Omit<OutputFileRow, 'id' | 'agentId' | 'createdAt'>>
  orphans: Set<string>
}

async function readState(tx: Transaction, agentId: number, batch: Waiting[]): Promise<BatchState> {
  const paths = [...new Set(batch.flatMap(({ change }) => [change.path, ...ancestors(change.path)]))]
  const rows = new Map(
    (
      await tx
        .select()
        .from(outputFiles)
        .where(and(eq(outputFiles.agentId, agentId), inArray(outputFiles.path, paths)))
    ).map((row) => [row.path, row]),
  )
  for (const { change } of batch) {
    if (change.kind !== 'remove' || !change.folder) continue
    const below = await tx
      .select()
      .from(outputFiles)
      .where(and(eq(outputFiles.agentId, agentId), isNull(outputFiles.deletedAt), gte(outputFiles.path, `${change.path}/`), lt(outputFiles.path, `${change.path}0`)))
    for (const row of below) rows.set(row.path, row)
  }
  return { rows, folders: await foldersAmong(tx, agentId, batch), dirty: new Map(), orphans: new Set() }
}

// A range per path ("a/" to "a0") finds a row below it by the unique index, without patterns and their wildcards.
async function foldersAmong(tx: Transaction, agentId: number, batch: Waiting[]): Promise<Map<string, number>> {
  const stored = [...new Set(batch.filter(({ change }) => change.kind === 'store').map(({ change }) => change.path))]
  if (stored.length === 0) return new Map()
  const found = await tx.execute<{ path: string; total: number }>(sql`
    select p.path, (select count(*)::int from ${outputFiles} f where f.agent_id = ${agentId} and f.deleted_at is null
      and f.path collate "C" > (p.path || '/') collate "C" and f.path collate "C" < (p.path || '0') collate "C") as total
    from jsonb_array_elements_text(${JSON.stringify(stored)}::jsonb) as p(path)`)
  return new Map([...found].filter((row) => row.total > 0).map((row) => [row.path, row.total]))
}

function store(state: BatchState, counters: Counters, change: StoreChange, quota: OutputQuota): Outcome {
  const present = current(state, change.path)
  if (present && !present.deletedAt && present.sha256 === change.sha256 && present.size === change.size) {
    return { seq: present.seq, changed: false, created: false, orphans: [change.storageKey] }
  }
  const clash = ancestors(change.path).find((path) => isLive(state, path))
  if (clash || (state.folders.get(change.path) ?? 0) > 0) {
    return new AppError('conflict', 'path_conflict', clash ? `“${clash}” is a file, so nothing can lie in it.` : `“${change.path}” is a folder.`)
  }
  const live = present && !present.deletedAt ? present : undefined
  const growth = change.size - (live?.size ?? 0)
  if ((growth > 0 && counters.usedBytes + growth > quota.maxBytes) || (!live && counters.fileCount + 1 > quota.maxFiles)) {
    return new AppError('too_large', 'quota_exceeded', 'The space for output files is full. Delete files that you do not need, or ask an admin for more.')
  }
  counters.usedBytes += growth
  if (!live) {
    counters.fileCount++
    for (const path of ancestors(change.path)) state.folders.set(path, (state.folders.get(path) ?? 0) + 1)
  }
  const { kind: _kind, ...stored } = change
  const seq = ++counters.lastSeq
  if (live) state.orphans.add(live.storageKey)
  state.dirty.set(change.path, { ...stored, seq, deletedAt: null, updatedAt: new Date() })
  return { seq, changed: true, created: !live, orphans: live ? [live.storageKey] : [] }
}

function remove(state: BatchState, counters: Counters, change: RemoveChange): Outcome {
  const paths = change.folder ? [...new Set([...state.rows.keys(), ...state.dirty.keys()])].filter((path) => path.startsWith(`${change.path}/`)) : [change.path]
  const orphans: string[] = []
  for (const path of paths.sort()) {
    const row = current(state, path)
    if (!row || row.deletedAt) continue
    counters.usedBytes -= row.size
    counters.fileCount--
    for (const parent of ancestors(path)) state.folders.set(parent, (state.folders.get(parent) ?? 1) - 1)
    orphans.push(row.storageKey)
    state.orphans.add(row.storageKey)
    state.dirty.set(path, { ...row, seq: ++counters.lastSeq, deletedAt: new Date(), updatedAt: new Date() })
  }
  return { seq: counters.lastSeq, changed: orphans.length > 0, created: false, orphans }
}

async function writeState(tx: Transaction, agentId: number, state: BatchState, counters: Counters, before: Counters): Promise<void> {
  if (counters.lastSeq === before.lastSeq) return
  const values = [...state.dirty].map(([path, row]) => ({
    agentId,
    path,
    size: row.size,
    sha256: row.sha256,
    contentType: row.contentType,
    storageKey: row.storageKey,
    seq: row.seq,
    deletedAt: row.deletedAt,
    updatedAt: row.updatedAt,
  }))
  const excluded = (column: string) => sql.raw(`excluded.${column}`)
  await tx
    .insert(outputFiles)
    .values(values)
    .onConflictDoUpdate({
      target: [outputFiles.agentId, outputFiles.path],
      set: {
        size: excluded('size'),
        sha256: excluded('sha256'),
        contentType: excluded('content_type'),
        storageKey: excluded('storage_key'),
        seq: excluded('seq'),
        deletedAt: excluded('deleted_at'),
        updatedAt: excluded('updated_at'),
      },
    })
  if (state.orphans.size > 0) {
    await tx
      .insert(orphanedObjects)
      .values([...state.orphans].map((storageKey) => ({ storageKey })))
      .onConflictDoNothing()
  }
  const { lastSeq, usedBytes, fileCount } = counters
  await tx.update(outputCounters).set({ lastSeq, usedBytes, fileCount }).where(eq(outputCounters.agentId, agentId))
}

function current(state: BatchState, path: string) {
  return state.dirty.get(path) ?? state.rows.get(path)
}

function isLive(state: BatchState, path: string): boolean {
  const row = current(state, path)
  return row !== undefined && !row.deletedAt
}

function ancestors(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_part, at) => parts.slice(0, at + 1).join('/'))
}
