// One transaction for many changes of an agent's files: rows, sequence numbers and quota, decided behind the lock of its counters.
import { and, eq, gte, isNull, lt, sql } from 'drizzle-orm'
import { agents } from '../agents/schema.ts'
import type { Transaction } from '../db/client.ts'
import { AppError } from '../lib/errors.ts'
import { type ChangedRow, type OutputFileRow, outputCounters, outputFiles } from './schema.ts'

/** An object that lies in storage and wants a row. */
export interface StoreChange {
  kind: 'store'
  path: string
  size: number
  sha256: string
  contentType: string
  storageKey: string
  /** True once nobody waits for the answer; then nothing is changed any more. */
  isAbandoned: () => boolean
}

/** Paths to remove: one file, or everything below a folder when `folder` is set. */
export interface RemoveChange {
  kind: 'remove'
  path: string
  folder: boolean
  isAbandoned: () => boolean
}

export type OutputChange = StoreChange | RemoveChange

/** What a change came to. `orphans` are storage keys that no row needs any more. */
export interface Committed {
  seq: number
  changed: boolean
  created: boolean
  orphans: string[]
  /** The folder holds more than one portion: ask again. */
  more?: boolean
}

export interface OutputQuota {
  maxBytes: number
  maxFiles: number
}

/** A change and what its owner may store. */
export interface Wanted {
  change: OutputChange
  quota: OutputQuota
}

/** What became of one change of a batch. */
export type Outcome = Committed | AppError

type Counters = { lastSeq: number; usedBytes: number; fileCount: number }

// Files that one transaction removes from a folder, so that it ends in time however many there are.
const FOLDER_PORTION = 2000

/** Makes a batch of one agent's changes, in their order, and returns the rows as they are now. What is refused changes nothing and spoils no other. */
export async function commitBatch(tx: Transaction, agentId: number, batch: readonly Wanted[]): Promise<{ outcomes: Outcome[]; rows: ChangedRow[] }> {
  const counters = (await locked(tx, agentId)) ?? (await begun(tx, agentId))
  const state = await readState(tx, agentId, batch)
  const before = { ...counters }
  const outcomes = batch.map(({ change, quota }) => {
    if (change.isAbandoned()) return new AppError('conflict', 'abandoned', 'The sender went away before this change was stored.')
    return change.kind === 'store' ? store(state, counters, change, quota) : remove(state, counters, change)
  })
  await writeState(tx, agentId, state, counters, before)
  const rows = [...state.dirty].map(([path, { size, seq, deletedAt }]) => ({ path, size, seq, deletedAt }))
  return { outcomes, rows: rows.sort((a, b) => a.seq - b.seq) }
}

async function locked(tx: Transaction, agentId: number): Promise<Counters | undefined> {
  const { lastSeq, usedBytes, fileCount } = outputCounters
  const [counters] = await tx
    .select({ lastSeq, usedBytes, fileCount })
    .from(outputCounters)
    .innerJoin(agents, and(eq(agents.id, outputCounters.agentId), isNull(agents.deletedAt)))
    .where(eq(outputCounters.agentId, agentId))
    .for('update', { of: outputCounters })
  return counters
}

async function begun(tx: Transaction, agentId: number): Promise<Counters> {
  await tx.execute(sql`insert into output_counters (agent_id) select id from agents where id = ${agentId}::bigint and deleted_at is null on conflict do nothing`)
  const counters = await locked(tx, agentId)
  // A sandbox may outlive its agent for a moment.
  if (!counters) throw new AppError('unauthorized', 'invalid_token', 'This sandbox belongs to an agent that is gone.')
  return counters
}

interface BatchState {
  /** Live rows and tombstones that the batch may touch, by path. */
  rows: Map<string, OutputFileRow>
  /** Paths that are folders, because a live row lies below them. */
  folders: Map<string, number>
  dirty: Map<string, Omit<OutputFileRow, 'id' | 'agentId' | 'createdAt'>>
  orphans: Set<string>
}

// Behind the lock the order of reads does not matter: they are sent together, and so are the writes.
async function readState(tx: Transaction, agentId: number, batch: readonly Wanted[]): Promise<BatchState> {
  const paths = [...new Set(batch.flatMap(({ change }) => [change.path, ...ancestors(change.path)]))]
  const emptied = batch.flatMap(({ change }) => (change.kind === 'remove' && change.folder ? [change.path] : []))
  const [folders, ...found] = await Promise.all([foldersAmong(tx, agentId, batch), rowsAt(tx, agentId, paths), ...emptied.map((folder) => rowsBelow(tx, agentId, folder))])
  return { rows: new Map(found.flat().map((row) => [row.path, row])), folders, dirty: new Map(), orphans: new Set() }
}

// An array, not a join: without figures about the table a join reads all rows of the agent, so that a storm grows with its square.
function rowsAt(tx: Transaction, agentId: number, paths: string[]): Promise<OutputFileRow[]> {
  return tx
    .select()
    .from(outputFiles)
    .where(and(eq(outputFiles.agentId, agentId), sql`${outputFiles.path} = any (array(select jsonb_array_elements_text(${JSON.stringify(paths)}::jsonb)))`))
    .execute()
}

function rowsBelow(tx: Transaction, agentId: number, folder: string): Promise<OutputFileRow[]> {
  const isBelow = and(gte(outputFiles.path, `${folder}/`), lt(outputFiles.path, `${folder}0`))
  return tx
    .select()
    .from(outputFiles)
    .where(and(eq(outputFiles.agentId, agentId), isNull(outputFiles.deletedAt), isBelow))
    .orderBy(outputFiles.path)
    .limit(FOLDER_PORTION + 1)
    .execute()
}

// A range per path ("a/" to "a0") finds a row below it by the unique index, without patterns and their wildcards.
async function foldersAmong(tx: Transaction, agentId: number, batch: readonly Wanted[]): Promise<Map<string, number>> {
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
    return quotaExceeded()
  }
  counters.usedBytes += growth
  if (!live) {
    counters.fileCount++
    for (const path of ancestors(change.path)) state.folders.set(path, (state.folders.get(path) ?? 0) + 1)
  }
  const { kind: _kind, isAbandoned: _isAbandoned, ...stored } = change
  const seq = ++counters.lastSeq
  if (live) state.orphans.add(live.storageKey)
  state.dirty.set(change.path, { ...stored, seq, deletedAt: null, updatedAt: new Date() })
  return { seq, changed: true, created: !live, orphans: live ? [live.storageKey] : [] }
}

function remove(state: BatchState, counters: Counters, change: RemoveChange): Outcome {
  const paths = change.folder ? [...new Set([...state.rows.keys(), ...state.dirty.keys()])].filter((path) => path.startsWith(`${change.path}/`)) : [change.path]
  const orphans: string[] = []
  const present = paths.filter((path) => isLive(state, path)).sort()
  for (const path of present.slice(0, FOLDER_PORTION)) {
    const row = current(state, path)
    if (!row) continue
    counters.usedBytes -= row.size
    counters.fileCount--
    for (const parent of ancestors(path)) state.folders.set(parent, (state.folders.get(parent) ?? 1) - 1)
    orphans.push(row.storageKey)
    state.orphans.add(row.storageKey)
    state.dirty.set(path, { ...row, seq: ++counters.lastSeq, deletedAt: new Date(), updatedAt: new Date() })
  }
  return { seq: counters.lastSeq, changed: orphans.length > 0, created: false, orphans, more: present.length > FOLDER_PORTION }
}

// Lists go as one JSON parameter: whatever their length, it is one statement that the server has prepared already.
async function writeState(tx: Transaction, agentId: number, state: BatchState, counters: Counters, before: Counters): Promise<void> {
  if (counters.lastSeq === before.lastSeq) return
  const rows = [...state.dirty].map(([path, row]) => ({
    path,
    size: row.size,
    sha256: row.sha256,
    content_type: row.contentType,
    storage_key: row.storageKey,
    seq: row.seq,
    deleted_at: row.deletedAt,
    updated_at: row.updatedAt,
  }))
  const { lastSeq, usedBytes, fileCount } = counters
  await Promise.all([
    tx.execute(sql`
      insert into output_files (agent_id, path, size, sha256, content_type, storage_key, seq, deleted_at, updated_at)
      select ${agentId}::bigint, r.* from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r(path text, size bigint, sha256 text, content_type text, storage_key text, seq bigint, deleted_at timestamptz, updated_at timestamptz)
      on conflict (agent_id, path) do update set size = excluded.size, sha256 = excluded.sha256, content_type = excluded.content_type,
        storage_key = excluded.storage_key, seq = excluded.seq, deleted_at = excluded.deleted_at, updated_at = excluded.updated_at`),
    state.orphans.size > 0 &&
      tx.execute(sql`
        insert into orphaned_objects (storage_key) select jsonb_array_elements_text(${JSON.stringify([...state.orphans])}::jsonb)
        on conflict (storage_key) do nothing`),
    tx.update(outputCounters).set({ lastSeq, usedBytes, fileCount }).where(eq(outputCounters.agentId, agentId)),
  ])
}

/** There is no space left for what would be stored. */
export function quotaExceeded(): AppError {
  return new AppError('too_large', 'quota_exceeded', 'The space for output files is full. Delete files that you do not need, or ask an admin for more.')
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
