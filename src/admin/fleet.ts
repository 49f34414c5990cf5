// Agents of everyone, for admins: found, listed page by page, stopped and restarted.
import { and, asc, desc, eq, isNull, ne, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import { agents } from '../agents/schema.ts'
import type { Db } from '../db/client.ts'
import { AppError, invalidFields, notFound } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { textProblem } from '../lib/text.ts'
import type { Runtime, SandboxDetails, SandboxUsage } from '../runtime/runtime.ts'
import type { AgentState } from '../sessions/agent-statuses.ts'
import { LIVE, type SandboxStartRow, type SessionRow, sessions } from '../sessions/schema.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Starts } from '../sessions/starts.ts'
import { type UserRow, users } from '../users/schema.ts'
import { cursorOf, type FleetQuery, found, healedSql, type Place, SORTS, stateSql } from './fleet-query.ts'

/** Proof that somebody may look after the agents of others. */
export type Admin = Pick<UserRow, 'id' | 'displayName'> & { role: 'admin' }

/** The admin that a user is; throws `forbidden` for everybody else. */
export function asAdmin(user: UserRow): Admin {
  if (user.role !== 'admin') throw new AppError('forbidden', 'forbidden', 'This is for admins.')
  return { id: user.id, displayName: user.displayName, role: 'admin' }
}

const LISTED = {
  id: agents.id,
  name: agents.name,
  icon: agents.icon,
  userId: agents.createdBy,
  generation: agents.generation,
  createdAt: agents.createdAt,
  startedImage: agents.startedImage,
  healed: healedSql,
  ownerName: users.displayName,
  ownerUsername: users.username,
  session: sessions,
  state: stateSql,
}

const OWNER = eq(users.id, agents.createdBy)
const SESSION = and(eq(sessions.agentId, agents.id), ne(sessions.status, 'deleted'))

/** One agent in the list. */
export interface FleetAgent {
  id: number
  name: string
  icon: string
  userId: number
  generation: number
  createdAt: Date
  /** Image that it was last started with. */
  startedImage: string | null
  /** How often it came back by itself in the last day. */
  healed: number
  ownerName: string
  ownerUsername: string
  session: SessionRow | null
  state: AgentState
  /** While it runs or starts. */
  details?: SandboxDetails
  usage?: SandboxUsage
}

/** One agent as its own page shows it. */
export interface FleetDetail extends FleetAgent {
  agent: Agent
  details: SandboxDetails
  /** Newest first. */
  starts: SandboxStartRow[]
}

const LONGEST_WHY = 200
const MOST_OF_USER = 1000

/** One page. */
export interface FleetSlice {
  agents: FleetAgent[]
  before?: string
  after?: string
}

/** Where a page begins or ends; the first one without. */
export type FleetPlace = { after: Place } | { before: Place } | undefined

/** Reads rows; what runs comes from the runtime's view, never from a call for one agent. */
export class Fleet {
  constructor(private readonly deps: { db: Db; runtime: Runtime; sessions: Sessions; starts: Starts; logger: Logger }) {}

  /** At most `limit` agents in the wanted order. */
  async page(_admin: Admin, query: FleetQuery, place: FleetPlace, limit: number): Promise<FleetSlice> {
    const { by, type } = SORTS[query.sort]
    const backwards = place !== undefined && 'before' in place
    // Going back reads the same order from its other end.
    const falls = query.descending !== backwards
    const from = place && ('before' in place ? place.before : place.after)
    const beyond = from && sql`(${by}, ${agents.id}) ${falls ? sql`<` : sql`>`} (${from.value}::${type}, ${from.id}::bigint)`
    const way = falls ? desc : asc
    const rows = await this.deps.db
      .select({ ...LISTED, place: sql<string>`(${by})::text` })
      .from(agents)
      .innerJoin(users, OWNER)
      .leftJoin(sessions, SESSION)
      .where(
        and(
          isNull(agents.deletedAt),
          query.userId === undefined ? undefined : eq(agents.createdBy, query.userId),
          found(query.q),
          query.state && sql`${stateSql} = ${query.state}`,
          beyond,
        ),
      )
      .orderBy(way(by), way(agents.id))
      .limit(limit + 1)
    const more = rows.length > limit
    const shown = backwards ? rows.slice(0, limit).reverse() : rows.slice(0, limit)
    const cursor = (row: (typeof rows)[number] | undefined) => row && cursorOf({ value: row.place, id: row.id })
    return {
      agents: await Promise.all(shown.map(({ place: _place, ...row }) => this.withSandbox(row))),
      before: (backwards ? more : place !== undefined) ? cursor(shown[0]) : undefined,
      after: (backwards ? shown.length > 0 : more) ? cursor(shown.at(-1)) : undefined,
    }
  }

  /** All agents of a person. Throws `not_found` without such a person. */
  async ofUser(admin: Admin, userId: number): Promise<FleetAgent[]> {
    const [user] = Number.isSafeInteger(userId) ? await this.deps.db.select({ id: users.id }).from(users).where(eq(users.id, userId)) : []
    if (!user) throw notFound('This person')
    return (await this.page(admin, { q: '', userId, sort: 'name', descending: false }, undefined, MOST_OF_USER)).agents
  }

  /** An agent to act upon; with `userId` only one of that person. Throws `not_found`. */
  async agent(_admin: Admin, id: number, userId?: number): Promise<Agent> {
    const wanted = and(eq(agents.id, id), isNull(agents.deletedAt), userId === undefined ? undefined : eq(agents.createdBy, userId))
    const [agent] = Number.isSafeInteger(id) ? await this.deps.db.select().from(agents).where(wanted) : []
    if (!agent) throw notFound('This agent')
    return agent
  }

  /** One agent with its last starts and what the system reports about it. Throws `not_found`. */
  async detail(admin: Admin, id: number): Promise<FleetDetail> {
    const agent = await this.agent(admin, id)
    const [listed] = await this.deps.db.select(LISTED).from(agents).innerJoin(users, OWNER).leftJoin(sessions, SESSION).where(eq(agents.id, agent.id))
    if (!listed) throw notFound('This agent')
    const details = this.deps.runtime.inspect({ userId: agent.createdBy, agentId: agent.id })
    const events = details.events.map((event) => ({ ...event, message: this.deps.starts.cleaned(agent, event.message) }))
    const [shown, starts] = await Promise.all([this.withSandbox(listed), this.deps.starts.list(agent)])
    return { ...shown, details: { ...details, events }, agent, starts }
  }

  /** Stops an agent that runs or sleeps; its owner is told that an admin did, and why. */
  async stop(admin: Admin, agent: Agent, why?: string): Promise<void> {
    if (await this.deps.sessions.stop(agent, told('Stopped by an admin.', why))) this.deps.logger.info('an admin stopped an agent', { adminId: admin.id, agentId: agent.id })
  }

  /** Starts an agent anew; its owner is told that an admin did, and why. */
  async restart(admin: Admin, agent: Agent, why?: string): Promise<void> {
    await this.deps.sessions.restart(agent, { notice: told('An admin restarted this agent.', why) })
    this.deps.logger.info('an admin restarted an agent', { adminId: admin.id, agentId: agent.id })
  }

  /** How many agents a search finds, by state. */
  async counts(_admin: Admin, q: string): Promise<Partial<Record<AgentState, number>>> {
    const rows = await this.deps.db
      .select({ state: stateSql, total: sql<number>`count(*)::int` })
      .from(agents)
      .innerJoin(users, OWNER)
      .leftJoin(sessions, SESSION)
      .where(and(isNull(agents.deletedAt), found(q)))
      .groupBy(sql`1`)
    return Object.fromEntries(rows.map(({ state, total }) => [state, total]))
  }

  private async withSandbox(row: Omit<FleetAgent, 'details' | 'usage'>): Promise<FleetAgent> {
    if (!row.session || !LIVE.includes(row.session.status)) return row
    const key = { userId: row.userId, agentId: row.id }
    // A cluster that cannot be read now leaves the rows as they are.
    const usage = await this.deps.runtime.usage(key).catch(() => undefined)
    return { ...row, details: this.deps.runtime.inspect(key), usage }
  }
}

// The first sentence is ours; what an admin adds comes as it is.
function told(sentence: string, why = ''): string {
  const words = why.trim()
  const problem = words.length > LONGEST_WHY ? `Use at most ${LONGEST_WHY} characters.` : textProblem(words)
  if (problem) throw invalidFields({ reason: problem })
  return words ? `${sentence} ${words}` : sentence
}
