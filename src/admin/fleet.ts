// Agents of everyone, for admins: found, listed page by page, stopped and restarted.
import { and, asc, desc, eq, isNull, ne, sql } from 'drizzle-orm'
import { agents } from '../agents/schema.ts'
import type { Db } from '../db/client.ts'
import { AppError } from '../lib/errors.ts'
import type { Runtime, SandboxDetails, SandboxUsage } from '../runtime/runtime.ts'
import type { AgentState } from '../sessions/agent-statuses.ts'
import { type SessionRow, sessions } from '../sessions/schema.ts'
import { type UserRow, users } from '../users/schema.ts'
import { cursorOf, type FleetQuery, found, type Place, SORTS, stateSql } from './fleet-query.ts'

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
  ownerName: string
  ownerUsername: string
  session: SessionRow | null
  state: AgentState
  /** While it runs or starts. */
  details?: SandboxDetails
  usage?: SandboxUsage
}

/** One page. */
export interface FleetSlice {
  agents: FleetAgent[]
  before?: string
  after?: string
}

/** Where a page begins or ends; the first one without. */
export type FleetPlace = { after: Place } | { before: Place } | undefined

const LIVE = new Set<SessionRow['status'] | undefined>(['creating', 'running', 'idle'])

/** Reads rows; what runs comes from the runtime's view, never from a call for one agent. */
export class Fleet {
  constructor(private readonly deps: { db: Db; runtime: Runtime }) {}

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
      .where(and(isNull(agents.deletedAt), found(query.q), query.state && sql`${stateSql} = ${query.state}`, beyond))
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
    if (!LIVE.has(row.session?.status)) return row
    const key = { userId: row.userId, agentId: row.id }
    // A cluster that cannot be read now leaves the rows as they are.
    const usage = await this.deps.runtime.usage(key).catch(() => undefined)
    return { ...row, details: this.deps.runtime.inspect(key), usage }
  }
}
