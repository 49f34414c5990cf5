// Rollouts: another image for many agents, as rows. The runner makes it so.
import { and, asc, count, desc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { agents } from '../agents/schema.ts'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db/client.ts'
import { AppError, invalidFields, notFound } from '../lib/errors.ts'
import { LIVE, type SessionRow, sessions } from '../sessions/schema.ts'
import { users } from '../users/schema.ts'
import { ROLLOUT_DEFAULTS, type RolloutInput, rolloutProblems, type Selection } from './rules.ts'
import { ROLLOUT_STATES, type RolloutAgentRow, type RolloutRow, type RolloutState, rolloutAgents, rollouts } from './schema.ts'

/** An agent of a rollout, with its owner's name, whether it runs and what it does now. */
export type ListedAgent = RolloutAgentRow & { owner: string | null; isLive: boolean; activity: SessionRow['activity'] }

export type Counts = Record<RolloutState, number>

/** A rollout with how far it is. */
export interface RolloutView {
  rollout: RolloutRow
  counts: Counts
}

const MAX_LISTED = 100
const MAX_SHOWN_AGENTS = 500
const KEPT_DAYS = 180

interface Deps {
  db: Db
  bus: Bus
  /** Whether agents have images here at all. */
  hasImages: boolean
}

/** Begins, finds and cancels rollouts. For admins: nothing here asks whose an agent is. */
export class Rollouts {
  constructor(private readonly deps: Deps) {}

  /** Stores a rollout; it begins by itself. Throws `invalid` with fields, and `conflict` `no_images` where there are no images. */
  async create(input: RolloutInput, by: { id: number }): Promise<RolloutRow> {
    const { db, hasImages } = this.deps
    if (!hasImages) throw new AppError('conflict', 'no_images', 'On one machine agents have no images: they run the Claude Code that is installed there.')
    const problems = rolloutProblems(input)
    if (Object.keys(problems).length > 0) throw invalidFields(problems)
    const { waveSize, maxFailures, quietSeconds, waitSeconds } = { ...ROLLOUT_DEFAULTS, ...defined(input) }
    const rollout = await db.transaction(async (tx) => {
      const [row] = await tx
        .insert(rollouts)
        .values({ image: input.image, waveSize, maxFailures, quietSeconds, busyUntil: sql`now() + make_interval(secs => ${waitSeconds})`, createdBy: by.id })
        .returning()
      if (!row) throw new Error('an insert returned no row')
      const meant = selected(input.agents)
      const rows = (state: RolloutState, reason: string | null, more: SQL) =>
        sql`insert into rollout_agents (rollout_id, agent_id, user_id, name, state, reason)
          select ${row.id}, agents.id, agents.created_by, agents.name, ${state}, ${reason} from agents where ${meant} ${more} order by agents.id on conflict do nothing`
      await tx.execute(rows('queued', null, sql``))
      const missed = sql`and not exists (select 1 from rollout_agents r where r.rollout_id = ${row.id} and r.agent_id = agents.id)`
      await tx.execute(rows('skipped', 'Another rollout changes it at the moment.', missed))
      const [{ total } = { total: 0 }] = await tx.select({ total: count() }).from(rolloutAgents).where(eq(rolloutAgents.rolloutId, row.id))
      const wanted = 'agentIds' in input.agents ? new Set(input.agents.agentIds).size : 1
      if (total < wanted)
        throw invalidFields({ agent_ids: total === 0 ? 'There is no such agent.' : 'Some of these agents are not there any more. Begin again with those that are left.' })
      return row
    })
    await this.announced(rollout)
    return rollout
  }

  /** Newest first. */
  async list(): Promise<RolloutView[]> {
    const { db } = this.deps
    const rows = await db.select().from(rollouts).orderBy(desc(rollouts.id)).limit(MAX_LISTED)
    const counts = await this.counts(rows.map((row) => row.id))
    return rows.map((rollout) => ({ rollout, counts: counts.get(rollout.id) ?? none() }))
  }

  /** Throws `not_found`. */
  async get(id: number): Promise<RolloutView> {
    const [rollout] = Number.isSafeInteger(id) ? await this.deps.db.select().from(rollouts).where(eq(rollouts.id, id)).limit(1) : []
    if (!rollout) throw notFound('This rollout')
    return { rollout, counts: (await this.counts([rollout.id])).get(rollout.id) ?? none() }
  }

  /** Its agents, the first few hundred: those that failed first, then what happens now. */
  async agentsOf(id: number): Promise<ListedAgent[]> {
    const order = sql`array_position(array['failed', 'updating', 'queued', 'skipped', 'done'], ${rolloutAgents.state})`
    const rows = await this.deps.db
      .select({ row: rolloutAgents, owner: users.displayName, isLive: sql<boolean>`${sessions.id} is not null`, activity: sessions.activity })
      .from(rolloutAgents)
      .leftJoin(users, eq(users.id, rolloutAgents.userId))
      .leftJoin(sessions, and(eq(sessions.agentId, rolloutAgents.agentId), inArray(sessions.status, LIVE)))
      .where(eq(rolloutAgents.rolloutId, id))
      .orderBy(order, asc(rolloutAgents.id))
      .limit(MAX_SHOWN_AGENTS)
    return rows.map(({ row, ...more }) => ({ ...row, ...more }))
  }

  /** Whether agents have images here at all. */
  get hasImages(): boolean {
    return this.deps.hasImages
  }

  /** What a form offers: these agents by name, the images in use, and how many agents there are. */
  async choice(agentIds: number[]): Promise<{ chosen: { id: number; name: string }[]; images: { image: string; agents: number }[]; total: number }> {
    const { db } = this.deps
    const image = sql<string>`coalesce(${agents.startedImage}, ${agents.image}, '')`
    const [chosen, used] = await Promise.all([
      agentIds.length === 0 ? [] : db.select({ id: agents.id, name: agents.name }).from(agents).where(selected({ agentIds })).orderBy(agents.id),
      db.select({ image, agents: count() }).from(agents).where(isNull(agents.deletedAt)).groupBy(sql`1`).orderBy(desc(count())).limit(MAX_LISTED),
    ])
    return { chosen, images: used.filter((row) => row.image !== ''), total: used.reduce((sum, row) => sum + row.agents, 0) }
  }

  /** Whether all of these agents are this user's. */
  async belongs(agentIds: number[], userId: number): Promise<boolean> {
    if (![userId, ...agentIds].every(Number.isSafeInteger)) return false
    const rows = await this.deps.db
      .select({ id: agents.id })
      .from(agents)
      .where(and(inArray(agents.id, agentIds), eq(agents.createdBy, userId), isNull(agents.deletedAt)))
    return rows.length === agentIds.length
  }

  /** No further agent is begun; those that restart now finish. Cancelling what is over is harmless. Throws `not_found`. */
  async cancel(id: number): Promise<RolloutView> {
    await this.end(await this.get(id).then(({ rollout }) => rollout), 'canceled', null, 'The rollout was canceled before its turn.')
    return this.get(id)
  }

  /** Ends a running rollout; agents whose turn has not come are skipped. */
  async end(rollout: Pick<RolloutRow, 'id' | 'createdBy'>, status: 'done' | 'stopped' | 'canceled', reason: string | null, skipped: string): Promise<void> {
    await this.deps.db.transaction(async (tx) => {
      const ended = await tx
        .update(rollouts)
        .set({ status, reason, finishedAt: new Date() })
        .where(and(eq(rollouts.id, rollout.id), eq(rollouts.status, 'running')))
        .returning({ id: rollouts.id })
      if (ended.length === 0) return
      await tx
        .update(rolloutAgents)
        .set({ state: 'skipped', reason: skipped, updatedAt: new Date() })
        .where(and(eq(rolloutAgents.rolloutId, rollout.id), eq(rolloutAgents.state, 'queued')))
    })
    await this.announced(rollout)
  }

  /** Forgets rollouts that were over half a year ago. */
  async sweep(): Promise<void> {
    await this.deps.db.delete(rollouts).where(sql`${rollouts.status} <> 'running' and ${rollouts.finishedAt} < now() - make_interval(days => ${KEPT_DAYS})`)
  }

  /** Tells open pages. */
  async announced(rollout: Pick<RolloutRow, 'id' | 'createdBy'>): Promise<void> {
    await this.deps.bus.publish({ kind: 'rollout.changed', userId: rollout.createdBy ?? 0, rolloutId: rollout.id })
  }

  private async counts(ids: number[]): Promise<Map<number, Counts>> {
    if (ids.length === 0) return new Map()
    const rows = await this.deps.db
      .select({ rolloutId: rolloutAgents.rolloutId, state: rolloutAgents.state, total: count() })
      .from(rolloutAgents)
      .where(inArray(rolloutAgents.rolloutId, ids))
      .groupBy(rolloutAgents.rolloutId, rolloutAgents.state)
    const counts = new Map(ids.map((id) => [id, none()]))
    for (const { rolloutId, state, total } of rows) counts.set(rolloutId, { ...(counts.get(rolloutId) ?? none()), [state]: total })
    return counts
  }
}

function none(): Counts {
  return Object.fromEntries(ROLLOUT_STATES.map((state) => [state, 0])) as Counts
}

function selected(selection: Selection): SQL | undefined {
  const present = isNull(agents.deletedAt)
  if ('agentIds' in selection) return and(present, inArray(agents.id, [...new Set(selection.agentIds)]))
  const { userId, name, image } = selection.filter
  return and(
    present,
    userId === undefined ? undefined : eq(agents.createdBy, userId),
    name ? sql`position(lower(${name}) in lower(${agents.name})) > 0` : undefined,
    image ? sql`coalesce(${agents.startedImage}, ${agents.image}, '') = ${image}` : undefined,
  )
}

function defined<T extends object>(input: T): Partial<T> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Partial<T>
}
