// One replica acts for the cluster: whoever holds a PostgreSQL advisory lock on a connection of its own.
import type postgres from 'postgres'
import { connect } from '../db/client.ts'
import type { Logger } from '../lib/logger.ts'
import { raced } from '../lib/raced.ts'

const CHECK_EVERY_MS = 2000
/** A database that says nothing for so long may have given the lock to somebody else. */
const ANSWER_MS = 3000

/** Leadership by lock. A lost connection loses it at once on the server's side, so two leaders cannot last. */
export class Lease {
  private connection?: postgres.Sql
  private held = false
  private checkedAt = Number.NEGATIVE_INFINITY
  private checking?: Promise<boolean>
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  /** Whether this process leads; asks the database at most every two seconds. */
  async isLeader(): Promise<boolean> {
    if (performance.now() - this.checkedAt < CHECK_EVERY_MS) return this.held
    this.checking ??= this.check().finally(() => {
      this.checking = undefined
    })
    return this.checking
  }

  /** Calls back when this process does not lead any more. Returns the way to unsubscribe. */
  onLost(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listeners.clear()
    this.held = false
    await this.connection?.end({ timeout: 1 })
  }

  private async check(): Promise<boolean> {
    const before = this.held
    try {
      // One connection without retry: if it breaks, the lock is gone and the next check starts from scratch.
      this.connection ??= connect(this.url, { max: 1, idle_timeout: 0, max_lifetime: null, connect_timeout: 3, onnotice() {}, onclose: () => this.lost() })
      this.hold(await raced(this.ask(this.connection), AbortSignal.timeout(ANSWER_MS)))
    } catch (error) {
      this.lost()
      // What does not answer must not come back with the lock later on.
      void this.connection?.end({ timeout: 0 }).catch(() => {})
      this.connection = undefined
      this.logger.warn('leadership cannot be checked', { error })
    }
    this.checkedAt = performance.now()
    if (this.held !== before) this.logger.info(this.held ? 'this replica reconciles' : 'another replica reconciles')
    return this.held
  }

  private async ask(connection: postgres.Sql): Promise<boolean> {
    const [row] = await connection<{ held: boolean }[]>`
      select exists (select 1 from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objid = hashtext('sac-leader')::oid)
        or pg_try_advisory_lock(0, hashtext('sac-leader')) as held`
    return row?.held ?? false
  }

  private lost(): void {
    this.hold(false)
    this.checkedAt = Number.NEGATIVE_INFINITY
  }

  private hold(held: boolean): void {
    const before = this.held
    this.held = held
    if (before && !held) for (const listener of this.listeners) listener()
  }
}
