// Files that an agent writes to /workspace/output: kept in storage, listed by rows, announced on the bus.
import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db/client.ts'
import { randomToken } from '../lib/crypto.ts'
import { AppError, notFound } from '../lib/errors.ts'
import { RelativePath } from '../lib/paths.ts'
import type { Settings } from '../settings/settings.ts'
import { outputKey } from '../storage/keys.ts'
import type { ByteRange, Storage } from '../storage/storage.ts'
import { contentTypeOf } from './content-types.ts'
import { ObjectRemovals } from './object-removals.ts'
import { type Committed, type OutputChange, type OutputQuota, quotaExceeded } from './output-batch.ts'
import { OutputCommits } from './output-commits.ts'
import { checksumMismatch, fileTooLarge, keyIn, placeSmall, type SmallChange, type SmallFile } from './output-small.ts'
import { type OutputTrouble, OutputTroubles } from './output-troubles.ts'
import { type ChangedRow, type OutputFileRow, outputCounters, outputFiles } from './schema.ts'
import { forgetTombstones } from './tombstones.ts'

/** A whole file on its way in. */
export interface IncomingFile {
  path: string
  size: number
  /** Hex SHA-256 that the sender claims; checked against the bytes. */
  sha256: string
  body: AsyncIterable<Uint8Array>
  /** Aborted when the sender has gone: it will send again, perhaps something newer, so this must not be stored any more. */
  signal?: AbortSignal
}

/** What a small change came to. */
export type Applied = Pick<Committed, 'seq' | 'changed'> & { created?: boolean }

/** What a removal came to. */
export interface Removed {
  seq: number
  changed: boolean
  /** How many files went. */
  removed: number
}

const LIMITS_CACHE_MS = 5000
// Below this, storing a file and finding out that it is too much costs less than asking before.
const WORTH_ASKING_BYTES = 1024 ** 2

/** Stores, finds, opens and removes output files. */
export class Outputs {
  private readonly commits: OutputCommits
  private readonly quotas = new Map<number, { readAt: number; quota: OutputQuota & { maxFileBytes: number } }>()
  private readonly owners = new Map<number, number>()
  private readonly watchers = new Set<(agentId: number, rows: ChangedRow[]) => void>()
  private readonly removals: ObjectRemovals
  private readonly troubles = new OutputTroubles()

  constructor(private readonly deps: { db: Db; storage: Storage; bus: Bus; settings: Settings }) {
    this.removals = new ObjectRemovals(deps)
    this.commits = new OutputCommits(deps.db, (agentId, rows) => {
      for (const watcher of this.watchers) watcher(agentId, rows)
      const userId = this.owners.get(agentId)
      const seq = rows.at(-1)?.seq
      if (userId !== undefined && seq !== undefined) void deps.bus.publish({ kind: 'output.changed', userId, agentId, seq })
    })
  }

  /**
   * Stores one file: object first, then row, quota and sequence in one transaction, then the announcement. Sending
   * the same file twice changes nothing. Throws `too_large`, `invalid` `checksum_mismatch`, `conflict` `path_conflict`.
   */
  async store(agent: Agent, file: IncomingFile): Promise<Committed> {
    const done = await this.toldOf(agent, file.path, this.stored(agent, file))
    this.troubles.settled(agent.id, file.path)
    return done
  }

  /**
   * Makes many small changes, each as `store` or `remove` would, with one wait for the disk and, as a rule, one transaction.
   * Resolves with what became of each, in their order; what is refused spoils no other.
   */
  async apply(agent: Agent, changes: readonly SmallChange[], signal?: AbortSignal): Promise<PromiseSettledResult<Applied>[]> {
    const isAbandoned = () => signal?.aborted ?? false
    const files = changes.filter((change) => change.bytes !== undefined)
    const placing = this.quota(agent).then(async (quota) => ({ quota, keys: await placeSmall(this.deps.storage, agent.id, files, quota.maxFileBytes) }))
    const storing = async (file: SmallFile) => {
      const { quota, keys } = await placing
      const { path, sha256, bytes } = file
      const storageKey = keyIn(keys, file)
      const change = { kind: 'store' as const, path, sha256, size: bytes.byteLength, contentType: contentTypeOf(path), storageKey, isAbandoned }
      return this.committed(agent, change, quota, storageKey)
    }
    return Promise.allSettled(
      changes.map(async (change) => {
        if (change.bytes === undefined) return this.remove(agent, RelativePath.parse(change.path), false, signal)
        const done = await this.toldOf(agent, change.path, storing(change))
        this.troubles.settled(agent.id, change.path)
        return done
      }),
    )
  }

  /** As `store`, for a file whose bytes are in memory. */
  async storeSmall(agent: Agent, file: SmallFile, signal?: AbortSignal): Promise<Applied> {
    const [done] = await this.apply(agent, [file], signal)
    if (done?.status !== 'fulfilled') throw done?.reason
    return done.value
  }

  /** Whether a file of this size may be stored, asked before anybody reads or sends it. Throws `too_large`. */
  async admit(agent: Agent, file: Pick<IncomingFile, 'path' | 'size'>): Promise<void> {
    await this.toldOf(agent, file.path, this.admitted(agent, file))
  }

  /** Removes one file, or everything below a folder, the latter in portions. Removing what is not there changes nothing. */
  async remove(agent: Agent, path: string, folder: boolean, signal?: AbortSignal): Promise<Removed> {
    const quota = await this.quota(agent)
    const change = { kind: 'remove' as const, path, folder, isAbandoned: () => signal?.aborted ?? false }
    for (let removed = 0; ; ) {
      const { seq, changed, orphans, more } = await this.committed(agent, change, quota)
      removed += orphans.length
      if (more) continue
      this.troubles.settled(agent.id, path)
      return { seq, changed: changed || removed > 0, removed }
    }
  }

  /** The live row of a path, or `not_found`. */
  async find(agent: Agent, path: string): Promise<OutputFileRow> {
    const [row] = await this.deps.db
      .select()
      .from(outputFiles)
      .where(and(eq(outputFiles.agentId, agent.id), eq(outputFiles.path, path), isNull(outputFiles.deletedAt)))
      .limit(1)
    if (!row) throw notFound('This file')
    return row
  }

  /** Opens the bytes of a row. */
  async open(row: OutputFileRow, range?: ByteRange): Promise<ReadableStream<Uint8Array>> {
    const stream = await this.deps.storage.get(row.storageKey, range)
    if (!stream) throw new AppError('unavailable', 'object_missing', 'The content of this file cannot be read right now. Try again; if it stays so, tell an admin.')
    return stream
  }

  /** What keeps new files of an agent from arriving; undefined when nothing does. */
  trouble(agent: Agent): OutputTrouble | undefined {
    return this.troubles.of(agent.id)
  }

  /** Changes of one agent after `seq`, oldest first, at most `limit`. Tombstones have `deletedAt`. */
  async changesAfter(agentId: number, seq: number, limit = 500): Promise<OutputFileRow[]> {
    return this.deps.db
      .select()
      .from(outputFiles)
      .where(and(eq(outputFiles.agentId, agentId), gt(outputFiles.seq, seq)))
      .orderBy(asc(outputFiles.seq))
      .limit(limit)
  }

  /** Hears of every transaction of this process once it is committed. Returns the way to stop. */
  onCommitted(watcher: (agentId: number, rows: ChangedRow[]) => void): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  /** The newest sequence number, 0 without any change. */
  async lastSeq(agentId: number): Promise<number> {
    const [row] = await this.deps.db.execute<{ seq: number }>(sql`select coalesce(max(last_seq), 0)::float8 as seq from output_counters where agent_id = ${agentId}`)
    return row?.seq ?? 0
  }

  /** From which position on changes can be replayed: 0 unless older ones are forgotten. */
  async forgottenSeq(agentId: number): Promise<number> {
    const [row] = await this.deps.db.select({ seq: outputCounters.forgottenSeq }).from(outputCounters).where(eq(outputCounters.agentId, agentId))
    return row?.seq ?? 0
  }

  /** Forgets files that were deleted long ago. */
  forgetTombstones(now?: number): Promise<void> {
    return forgetTombstones(this.deps.db, now)
  }

  /** Removes every object of a condemned agent. Rows go with the agent's row. */
  async purge(agentId: number, prefix: string): Promise<void> {
    this.troubles.forget(agentId)
    for (;;) {
      const rows = await this.deps.db.select({ id: outputFiles.id, key: outputFiles.storageKey }).from(outputFiles).where(eq(outputFiles.agentId, agentId)).limit(500)
      if (rows.length === 0) break
      await this.deps.storage.delete(rows.map((row) => row.key))
      await this.deps.db.execute(sql`delete from output_files where id in ${rows.map((row) => row.id)}`)
    }
    const rest: string[] = []
    for await (const object of this.deps.storage.list(prefix)) rest.push(object.key)
    await this.deps.storage.delete(rest)
  }

  /** Deletes objects whose row has gone but whose removal from storage did not finish. */
  sweepOrphans(): Promise<void> {
    return this.removals.sweepOrphans()
  }

  /** Deletes objects that never got a row. Returns how many. */
  sweepUnknown(now?: number): Promise<number> {
    return this.removals.sweepUnknown(now)
  }

  // Whoever waits for the file sees why it does not come.
  private async toldOf<T>(agent: Agent, path: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (error instanceof AppError) this.troubles.refused(agent.id, path, error)
      throw error
    }
  }

  // The batch decides; this keeps what it will refuse from filling the disk on its way.
  private async admitted(agent: Agent, { path, size }: Pick<IncomingFile, 'path' | 'size'>) {
    const quota = await this.quota(agent)
    if (size > quota.maxFileBytes) throw fileTooLarge(quota.maxFileBytes)
    if (size <= WORTH_ASKING_BYTES) return quota
    const [used] = await this.deps.db.execute<{ others: number }>(sql`
      select (c.used_bytes - coalesce(f.size, 0))::float8 as others from output_counters c
        left join output_files f on f.agent_id = c.agent_id and f.path = ${path} and f.deleted_at is null where c.agent_id = ${agent.id}`)
    if ((used?.others ?? 0) + size > quota.maxBytes) throw quotaExceeded()
    return quota
  }

  private async stored(agent: Agent, file: IncomingFile): Promise<Committed> {
    const quota = await this.admitted(agent, file)
    const storageKey = outputKey(agent.id, file.sha256, randomToken(9))
    const hasher = new Bun.CryptoHasher('sha256')
    await this.deps.storage.put(storageKey, hashed(file.body, hasher), file.size)
    if (hasher.digest('hex') !== file.sha256) {
      await this.deps.storage.delete([storageKey])
      throw checksumMismatch()
    }
    const { body: _body, signal, ...facts } = file
    const isAbandoned = () => signal?.aborted ?? false
    return this.committed(agent, { kind: 'store', ...facts, contentType: contentTypeOf(file.path), storageKey, isAbandoned }, quota, storageKey)
  }

  private async committed(agent: Agent, change: OutputChange, quota: OutputQuota, uploaded?: string): Promise<Committed> {
    this.owners.set(agent.id, agent.createdBy)
    try {
      const done = await this.commits.commit(agent.id, change, quota)
      this.removals.soon(done.orphans)
      return done
    } catch (error) {
      // A refusal leaves an object without a row. An error may hide a commit that did happen: the sweep decides later.
      if (uploaded && error instanceof AppError && error.kind !== 'unavailable') this.removals.soon([uploaded])
      throw error
    }
  }

  private async quota(agent: Agent): Promise<OutputQuota & { maxFileBytes: number }> {
    const known = this.quotas.get(agent.createdBy)
    if (known && performance.now() - known.readAt < LIMITS_CACHE_MS) return known.quota
    const limits = await this.deps.settings.limits(agent.createdBy)
    const quota = { maxBytes: limits.outputMaxBytes, maxFiles: limits.outputMaxFiles, maxFileBytes: limits.outputMaxFileBytes }
    this.quotas.set(agent.createdBy, { readAt: performance.now(), quota })
    return quota
  }
}

async function* hashed(body: AsyncIterable<Uint8Array>, hasher: Bun.CryptoHasher): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    hasher.update(chunk)
    yield chunk
  }
}
