// Logins: who is signed in where. A login ends by deleting its row, and everything that hangs on it hears of it.
import { and, desc, eq, gt, inArray, isNull, lt, ne, sql } from 'drizzle-orm'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db/client.ts'
import { randomToken, sha256Hex } from '../lib/crypto.ts'
import { AppError, notFound } from '../lib/errors.ts'
import { type LoginRow, logins, type UserRow, users } from './schema.ts'
import { type LoginTokens, TOKEN_LIFE_S } from './tokens.ts'

/** Who makes a request: the user's row as of at most a few seconds ago, and the login it came by. */
export interface Identity {
  user: UserRow
  loginId: string
}

// A revocation reaches every replica by the bus at once, and without the bus when the cache runs out.
const CACHE_MS = 2000
const SEEN_EVERY_MS = 60_000
const MAX_CACHED = 20_000
const LOGIN_ID = /^[0-9a-f]{64}$/

type Cached = { identity: Identity | undefined; readAt: number; reading?: Promise<Identity | undefined> }

/** Opens, checks, lists and ends logins. */
export class Logins {
  private readonly cache = new Map<string, Cached>()
  private readonly seen = new Map<string, number>()
  private readonly unsubscribe: () => void

  constructor(private readonly deps: { db: Db; bus: Bus; tokens: LoginTokens }) {
    this.unsubscribe = deps.bus.subscribe((event) => {
      if (event.kind === 'logins.ended') for (const id of event.loginIds) this.cache.delete(id)
    })
  }

  /**
   * Opens a login for a user whose password was right; returns the token for cookie or header. Throws `unauthorized` when the
   * password was changed since: the change ends the logins that are there, so none may come after it.
   */
  async open(user: Pick<UserRow, 'id' | 'passwordHash'>, from: { userAgent: string; address: string }): Promise<{ token: string; loginId: string }> {
    const sid = randomToken()
    const id = sha256Hex(sid)
    const expiresAt = new Date(Date.now() + TOKEN_LIFE_S * 1000).toISOString()
    // The lock on the user's row puts this before or after a change, never in between.
    const opened = await this.deps.db.execute(sql`
      insert into logins (id, user_id, user_agent, address, expires_at)
      select ${id}::text, u.id, ${from.userAgent.slice(0, 300)}::text, ${from.address}::text, ${expiresAt}::timestamptz from users u
        where u.id = ${user.id}::bigint and u.password_hash = ${user.passwordHash} and u.disabled_at is null for share
      returning id`)
    if (opened.length === 0) throw new AppError('unauthorized', 'invalid_credentials', 'That name and password do not match.')
    return { token: await this.deps.tokens.sign({ userId: user.id, sid }), loginId: id }
  }

  /** The identity behind a token, or undefined when it is forged, ended, run out or of a disabled user. */
  async identify(token: string): Promise<Identity | undefined> {
    const claims = await this.deps.tokens.verify(token)
    if (!claims) return undefined
    const id = sha256Hex(claims.sid)
    const identity = await this.byId(id)
    return identity?.user.id === claims.userId ? identity : undefined
  }

  /** The identity of a login that is known already, for streams that check again while they are open. */
  async byId(loginId: string): Promise<Identity | undefined> {
    const cached = this.cache.get(loginId)
    if (cached?.reading) return cached.reading
    if (cached && performance.now() - cached.readAt < CACHE_MS) return cached.identity
    // One read for many simultaneous requests of one login.
    const reading = this.read(loginId)
    this.cache.set(loginId, { identity: cached?.identity, readAt: 0, reading })
    try {
      const identity = await reading
      // An end that arrived while the row was read has removed the entry: do not bring it back.
      if (this.cache.get(loginId)?.reading === reading) this.cache.set(loginId, { identity, readAt: performance.now() })
      this.trim()
      return identity
    } catch (error) {
      this.cache.delete(loginId)
      throw error
    }
  }

  async list(user: Pick<UserRow, 'id'>): Promise<LoginRow[]> {
    return this.deps.db
      .select()
      .from(logins)
      .where(and(eq(logins.userId, user.id), gt(logins.expiresAt, new Date())))
      .orderBy(desc(logins.lastSeenAt))
      .limit(200)
  }

  /** Ends one login of this user; 404 for anybody else's. */
  async end(user: Pick<UserRow, 'id'>, loginId: string): Promise<void> {
    // Anything else than a hash names no login, and some texts (NUL) no database takes.
    if (!LOGIN_ID.test(loginId)) throw notFound('This sign-in')
    const gone = await this.deps.db
      .delete(logins)
      .where(and(eq(logins.id, loginId), eq(logins.userId, user.id)))
      .returning({ id: logins.id })
    if (gone.length === 0) throw notFound('This sign-in')
    await this.announce(user.id, gone)
  }

  /** Ends every login of this user but `except`; returns how many ended. */
  async endAll(user: Pick<UserRow, 'id'>, except?: string): Promise<number> {
    const mine = eq(logins.userId, user.id)
    const gone = await this.deps.db
      .delete(logins)
      .where(except ? and(mine, ne(logins.id, except)) : mine)
      .returning({ id: logins.id })
    await this.announce(user.id, gone)
    return gone.length
  }

  /** Which of these logins are over; open streams and sockets ask every few seconds, so that a lost hint costs little. */
  async ended(loginIds: string[]): Promise<string[]> {
    if (loginIds.length === 0) return []
    const rows = await this.deps.db
      .select({ id: logins.id })
      .from(logins)
      .innerJoin(users, eq(users.id, logins.userId))
      .where(and(inArray(logins.id, loginIds), gt(logins.expiresAt, new Date()), isNull(users.disabledAt)))
    const alive = new Set(rows.map((row) => row.id))
    const ended = loginIds.filter((id) => !alive.has(id))
    for (const id of ended) this.cache.delete(id)
    return ended
  }

  /** Reads this user's row again at the next request, after it changed. */
  forgetUser(userId: number): void {
    for (const [id, cached] of this.cache) if (cached.identity?.user.id === userId) this.cache.delete(id)
  }

  /** Removes rows that ran out. */
  async sweep(): Promise<void> {
    await sweepLogins(this.deps.db)
  }

  [Symbol.dispose](): void {
    this.unsubscribe()
    this.cache.clear()
  }

  private async read(loginId: string): Promise<Identity | undefined> {
    const [row] = await this.deps.db.select().from(logins).innerJoin(users, eq(users.id, logins.userId)).where(eq(logins.id, loginId)).limit(1)
    if (!row || row.logins.expiresAt <= new Date() || row.users.disabledAt) return undefined
    await this.noteSeen(loginId)
    return { user: row.users, loginId }
  }

  private async noteSeen(loginId: string): Promise<void> {
    const now = Date.now()
    if (now - (this.seen.get(loginId) ?? 0) < SEEN_EVERY_MS) return
    if (this.seen.size > MAX_CACHED) this.seen.clear()
    this.seen.set(loginId, now)
    await this.deps.db.update(logins).set({ lastSeenAt: new Date() }).where(eq(logins.id, loginId))
  }

  private trim(): void {
    if (this.cache.size <= MAX_CACHED) return
    for (const id of this.cache.keys()) {
      if (this.cache.size <= MAX_CACHED / 2) break
      this.cache.delete(id)
    }
  }

  private async announce(userId: number, gone: { id: string }[]): Promise<void> {
    const loginIds = gone.map(({ id }) => id)
    for (const id of loginIds) this.cache.delete(id)
    if (loginIds.length > 0) await this.deps.bus.publish({ kind: 'logins.ended', userId, loginIds })
  }
}

/** Removes the rows of logins that ran out. */
export async function sweepLogins(db: Db): Promise<void> {
  await db.delete(logins).where(lt(logins.expiresAt, new Date()))
}
