// Sessions: what each agent should be doing, as rows. The reconcile loop makes it so.
import { and, desc, eq, exists, inArray, isNull, lte, ne, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import { agents } from '../agents/schema.ts'
import type { Bus } from '../bus/bus.ts'
import type { Db, Transaction, Within } from '../db/client.ts'
import { notFound } from '../lib/errors.ts'
import { EXPOSED } from './networks.ts'
import { LIVE, type SessionRow, type SessionStatus, sessions, UP } from './schema.ts'

/** Columns that progress and activity may change. */
export type SessionChange = Partial<Pick<SessionRow, 'status' | 'steps' | 'reason' | 'warning' | 'activity' | 'activityDetail' | 'readyAt' | 'lastActive' | 'startedAt'>>

/** The start that a change is meant for. */
export interface StartMark {
  id: string
  startedAt: Date
  /** Its generation, once it has one. */
  generation?: number
}

/** How a start begins. */
interface Beginning {
  /** Colours of the CLI; those that the session has unless told. */
  theme?: SessionRow['theme']
  /** Tells the agent's owner who began it, and why. */
  notice?: string
}

/** What `open` came to. */
export interface Opened {
  session: SessionRow
  isNew: boolean
}

const MAX_LISTED = 500

/** Opens, finds and ends sessions; one per agent at a time. */
export class Sessions {
  private readonly listOf

  constructor(private readonly deps: { db: Db; bus: Bus }) {
    // Every page and many requests ask for it: its SQL is made once.
    this.listOf = deps.db
      .select()
      .from(sessions)
      .where(and(eq(sessions.userId, sql.placeholder('userId')), ne(sessions.status, 'deleted')))
      .orderBy(desc(sessions.createdAt))
      .limit(MAX_LISTED)
      .prepare('sessions_of_user')
  }

  /** The agent's session; one that sleeps, was stopped or failed begins anew, without one a row is made. Answers at once. */
  async open(agent: Agent, { within = (work) => this.deps.db.transaction(work), ...begin }: Beginning & { within?: Within } = {}): Promise<Opened> {
    const opened = await within((tx) => this.opened(tx, agent, begin))
    if (opened.isNew) await this.announced(opened.session)
    return opened
  }

  private async opened(tx: Transaction, agent: Agent, begin: Beginning): Promise<Opened> {
    const [made] = await tx
      .insert(sessions)
      .values({ id: crypto.randomUUID(), userId: agent.createdBy, agentId: agent.id, ...fresh(begin) })
      .onConflictDoNothing()
      .returning()
    if (made) return { session: made, isNew: true }
    const [revived] = await tx
      .update(sessions)
      .set(fresh(begin))
      .where(and(eq(sessions.agentId, agent.id), inArray(sessions.status, ['asleep', 'stopped', 'failed'])))
      .returning()
    if (revived) return { session: revived, isNew: true }
    const [present] = await tx.select().from(sessions).where(ofAgent(agent.id)).limit(1)
    // Deleted between the two statements: the next try makes a new one.
    return present ? { session: present, isNew: false } : this.opened(tx, agent, begin)
  }

  /** Begins a new generation of a session that runs, in the colours that it has unless told; one that does not run begins. */
  async restart(agent: Agent, begin: Beginning = {}): Promise<SessionRow> {
    const [row] = await this.deps.db
      .update(sessions)
      .set(fresh(begin))
      .where(and(eq(sessions.agentId, agent.id), ne(sessions.status, 'deleted')))
      .returning()
    if (!row) return (await this.open(agent, begin)).session
    await this.announced(row)
    return row
  }

  /**
   * Begins a new generation within a transaction if the session now is as `from` says; undefined when it is not. `notice`
   * tells its owner why. Whoever holds the transaction announces the row once it is there.
   */
  async beginAnew(tx: Transaction, agentId: number, notice: string, from: SessionStatus[] = LIVE): Promise<SessionRow | undefined> {
    const [row] = await tx
      .update(sessions)
      .set(fresh({ notice }))
      .where(and(eq(sessions.agentId, agentId), inArray(sessions.status, from)))
      .returning()
    return row
  }

  /** Asks for an end of one that runs or sleeps; the files stay. False when there was nothing to end. */
  async stop(agent: Agent, reason: string): Promise<boolean> {
    const stoppable = and(eq(sessions.agentId, agent.id), inArray(sessions.status, [...LIVE, 'asleep']))
    return (await this.set(stoppable, { status: 'stopped', reason, activity: null, activityDetail: null })) > 0
  }

  /** Marks the session as deleted; the sandbox ends, the agent and its files stay. */
  async delete(user: { id: number }, id: string): Promise<void> {
    const session = await this.owned(user, id)
    await this.set(eq(sessions.id, session.id), { status: 'deleted' })
  }

  /** A session of this user's agents, or `not_found`. Deleted ones are not there any more. */
  async owned(user: { id: number }, id: string): Promise<SessionRow> {
    const [row] = UUID.test(id)
      ? await this.deps.db
          .select()
          .from(sessions)
          .where(and(eq(sessions.id, id), eq(sessions.userId, user.id), ne(sessions.status, 'deleted')))
          .limit(1)
      : []
    if (!row) throw notFound('This session')
    return row
  }

  async ofAgent(agentId: number): Promise<SessionRow | undefined> {
    const [row] = await this.deps.db.select().from(sessions).where(ofAgent(agentId)).limit(1)
    return row
  }

  /** The user's sessions, newest first. */
  async list(user: { id: number }): Promise<SessionRow[]> {
    return this.listOf.execute({ userId: user.id })
  }

  /** Which of these agents should run now: those with a live session that are not condemned. */
  async live(agentIds: number[]): Promise<Set<number>> {
    if (agentIds.length === 0) return new Set()
    const rows = await this.deps.db
      .select({ agentId: sessions.agentId })
      .from(sessions)
      .innerJoin(agents, eq(agents.id, sessions.agentId))
      .where(and(inArray(sessions.agentId, agentIds), inArray(sessions.status, LIVE), isNull(agents.deletedAt)))
    return new Set(rows.map((row) => row.agentId))
  }

  /** Every session whose agent still exists, for the reconcile loop. */
  async all(): Promise<SessionRow[]> {
    const rows = await this.deps.db.select().from(sessions).innerJoin(agents, eq(agents.id, sessions.agentId)).where(ne(sessions.status, 'deleted'))
    return rows.map((row) => row.sessions)
  }

  /**
   * Changes a session only while it has one of these statuses and is still at this start; false when somebody else was
   * faster: another start was asked for, or another replica carries it out in a newer generation.
   */
  async change(start: StartMark, from: SessionStatus[], change: SessionChange): Promise<boolean> {
    const isNewest =
      start.generation === undefined
        ? undefined
        : exists(
            this.deps.db
              .select({ id: agents.id })
              .from(agents)
              .where(and(eq(agents.id, sessions.agentId), eq(agents.generation, start.generation))),
          )
    return (await this.set(and(eq(sessions.id, start.id), eq(sessions.startedAt, start.startedAt), inArray(sessions.status, from), isNewest), change)) > 0
  }

  /** What the CLI does now, as its hooks tell. Also wakes an idle session's mark. */
  async noteActivity(agentId: number, activity: SessionRow['activity'], detail: string | null): Promise<void> {
    const status = sql<SessionStatus>`case when ${sessions.status} = 'idle' then 'running' else ${sessions.status} end`
    await this.set(and(eq(sessions.agentId, agentId), inArray(sessions.status, LIVE)), {
      activity,
      activityDetail: detail,
      lastActive: new Date(),
      status: status as unknown as SessionStatus,
    })
  }

  /** Somebody typed, or the terminal wrote. News only where that ends an idle time. */
  async noteInput(agentId: number): Promise<void> {
    const { db } = this.deps
    const rows = await db
      .update(sessions)
      .set({ lastActive: new Date() })
      .where(and(eq(sessions.agentId, agentId), inArray(sessions.status, UP)))
      .returning({ id: sessions.id, startedAt: sessions.startedAt, status: sessions.status })
    for (const { id, startedAt, status } of rows) if (status === 'idle') await this.change({ id, startedAt }, ['idle'], { status: 'running' })
  }

  /** Marks a running session as idle unless something has happened since `quietSince`. */
  async markIdle(session: Pick<SessionRow, 'id'>, quietSince: Date): Promise<void> {
    await this.set(and(eq(sessions.id, session.id), eq(sessions.status, 'running'), lte(sessions.lastActive, quietSince)), { status: 'idle' })
  }

  /** Puts a running session to sleep unless something has happened since `quietSince`. Only `open` and `restart` wake it. */
  async sleep(session: Pick<SessionRow, 'id'>, quietSince: Date): Promise<void> {
    const quiet = and(eq(sessions.id, session.id), inArray(sessions.status, UP), lte(sessions.lastActive, quietSince))
    await this.set(quiet, { status: 'asleep', reason: null, warning: null, activity: null, activityDetail: null })
  }

  /** A warning that stays visible while the agent starts and runs. */
  async warn(agentId: number, warning: string): Promise<void> {
    await this.set(and(eq(sessions.agentId, agentId), inArray(sessions.status, LIVE), sql`${sessions.warning} is distinct from ${warning}`), { warning })
  }

  /** Takes that very warning back. */
  async unwarn(agentId: number, warning: string): Promise<void> {
    await this.set(and(eq(sessions.agentId, agentId), eq(sessions.warning, warning)), { warning: null })
  }

  /** The start is over. What the sandbox has reported about its network meanwhile stays. */
  async ready(start: StartMark, { warning, ...change }: Pick<SessionChange, 'steps' | 'warning'>): Promise<boolean> {
    const kept = sql<string | null>`case when ${sessions.warning} = ${EXPOSED} then ${sessions.warning} else ${warning ?? null}::text end` as unknown as string
    const now = new Date()
    return this.change(start, ['creating'], { ...change, status: 'running', readyAt: now, lastActive: now, warning: kept })
  }

  /** The terminals of these agents wrote something by themselves. */
  async noteOutput(agentIds: number[]): Promise<void> {
    if (agentIds.length === 0) return
    const { db } = this.deps
    await db
      .update(sessions)
      .set({ lastActive: new Date() })
      .where(and(inArray(sessions.agentId, agentIds), inArray(sessions.status, UP)))
  }

  private async set(where: ReturnType<typeof and>, change: SessionChange): Promise<number> {
    // One that had ended keeps the moment at which it did: its sandbox's token is good for a minute from there.
    const updatedAt = sql`case when ${inArray(sessions.status, LIVE)} then ${sql.param(new Date(), sessions.updatedAt)} else ${sessions.updatedAt} end`
    const rows = await this.deps.db
      .update(sessions)
      .set({ updatedAt, ...change })
      .where(where)
      .returning()
    await Promise.all(rows.map((row) => this.announced(row)))
    return rows.length
  }

  /** Tells everybody that a session has changed. */
  async announced(row: Pick<SessionRow, 'id' | 'userId' | 'agentId'>): Promise<void> {
    await this.deps.bus.publish({ kind: 'session.changed', userId: row.userId, agentId: row.agentId, sessionId: row.id })
  }
}

function ofAgent(agentId: number) {
  return and(eq(sessions.agentId, agentId), ne(sessions.status, 'deleted'))
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function fresh({ theme, notice }: Beginning = {}) {
  return {
    theme,
    status: 'creating' as const,
    steps: [],
    reason: null,
    warning: null,
    notice: notice ?? null,
    activity: null,
    activityDetail: null,
    readyAt: null,
    startedAt: new Date(),
    updatedAt: new Date(),
  }
}
