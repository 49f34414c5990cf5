// Requests that may be sent again: one with an Idempotency-Key makes its thing once, and every repeat gets the first answer.
import { and, eq, lt, sql } from 'drizzle-orm'
import type { Db, Transaction, Within } from '../db/client.ts'
import { sha256Hex } from '../lib/crypto.ts'
import { AppError, invalidFields } from '../lib/errors.ts'
import { repeatedRequests } from './schema.ts'

/** A request as far as a repeat must be the same. */
export interface Repeatable {
  user: { id: number }
  /** Value of the Idempotency-Key header; null without one. */
  key: string | null
  /** Names what is done, for example `POST /api/agents`. */
  operation: string
  body: unknown
  /** Waits for the first one while it runs, instead of being told so: for people, who sent it by a double click. */
  wait?: boolean
}

const KEY = /^[\x21-\x7e]{1,200}$/
const KEPT_MS = 24 * 60 * 60_000

/** Remembers answers for a day, per user and key. */
export class Repeats {
  constructor(private readonly db: Db) {}

  /**
   * Runs `make` and returns what `show` makes of its result; a repeat returns the answer of the first time. `make` does its
   * work within the transaction that it is given, so that work and memory are there both or not at all. Throws `conflict`
   * `in_progress` while the first one runs, and `invalid` `key_reused` for another request with the same key.
   */
  async once<T, A>(request: Repeatable, make: (within?: Within) => Promise<T>, show: (result: T) => A): Promise<A> {
    const { key, operation, body, user } = request
    if (key === null) return show(await make())
    if (!KEY.test(key)) throw invalidFields({ 'idempotency-key': 'Use 1 to 200 visible ASCII characters.' })
    const mark = { userId: user.id, key, operation, bodySha256: sha256Hex(JSON.stringify(body)) }
    const within: Within = (work) =>
      this.db.transaction(async (tx) => {
        await this.turn(tx, request)
        const first = await this.first(tx, mark)
        if (first) throw new Repeated(first.answer)
        const result = await work(tx)
        await tx.insert(repeatedRequests).values({ ...mark, answer: show(result as T & typeof result) })
        return result
      })
    try {
      return show(await make(within))
    } catch (error) {
      if (error instanceof Repeated) return error.answer as A
      throw error
    }
  }

  /** Forgets answers that are older than a day. */
  async sweep(): Promise<void> {
    await this.db.delete(repeatedRequests).where(lt(repeatedRequests.createdAt, new Date(Date.now() - KEPT_MS)))
  }

  // Held to the end of the transaction.
  private async turn(tx: Transaction, { user, key, wait = false }: Repeatable): Promise<void> {
    const name = sql`hashtextextended(${`repeat ${user.id} ${key}`}, 0)`
    if (wait) return void (await tx.execute(sql`select pg_advisory_xact_lock(${name})`))
    const [{ mine } = { mine: false }] = await tx.execute<{ mine: boolean }>(sql`select pg_try_advisory_xact_lock(${name}) as mine`)
    if (!mine) throw new AppError('conflict', 'in_progress', 'The first request with this key is still running. Ask again in a moment.', { retryAfterS: 1 })
  }

  private async first(tx: Transaction, { userId, key, operation, bodySha256 }: { userId: number; key: string; operation: string; bodySha256: string }) {
    const [row] = await tx
      .select()
      .from(repeatedRequests)
      .where(and(eq(repeatedRequests.userId, userId), eq(repeatedRequests.key, key)))
      .limit(1)
    if (row && (row.operation !== operation || row.bodySha256 !== bodySha256))
      throw new AppError('invalid', 'key_reused', 'This Idempotency-Key belongs to another request. Use a new key for each thing that you make.')
    return row
  }
}

/** Leaves the transaction when there is nothing to do. */
class Repeated extends Error {
  constructor(readonly answer: unknown) {
    super('this request was answered before')
  }
}
