// What of everyone's agents is asked for: search, state, order, and the place of a page in it. Pure.
import { type SQL, sql } from 'drizzle-orm'
import { agents } from '../agents/schema.ts'
import { invalidFields } from '../lib/errors.ts'
import type { AgentState } from '../sessions/agent-statuses.ts'
import { sandboxStarts, sessions } from '../sessions/schema.ts'
import { users } from '../users/schema.ts'

/** States in the order of lists of admins: what needs somebody comes first. */
export const FLEET_STATES = ['failed', 'needs-you', 'starting', 'working', 'running', 'idle', 'stopped'] as const satisfies readonly AgentState[]
/** What the list can be sorted by. */
export const FLEET_SORTS = ['state', 'name', 'owner', 'active'] as const
/** One of them. */
export type FleetSort = (typeof FLEET_SORTS)[number]

/** Search, filter and order. */
export interface FleetQuery {
  /** Part of a name, or the number of an agent; empty finds all. */
  q: string
  /** Agents of this person only. */
  userId?: number
  state?: AgentState
  sort: FleetSort
  descending: boolean
}

/** A row's place in an order: what it is sorted by, as text, then its number. */
export interface Place {
  value: string
  id: number
}

const SEPARATOR = '\n'

/** The place that a cursor names. Throws `invalid` for anything that is none. */
export function placeOf(cursor: string, field: 'before' | 'after', sort: FleetSort): Place {
  const text = Buffer.from(cursor, 'base64url').toString()
  const at = text.lastIndexOf(SEPARATOR)
  const id = Number(text.slice(at + 1))
  const place = { value: text.slice(0, at), id }
  const isWhole = at >= 0 && Number.isSafeInteger(id) && id > 0 && cursorOf(place) === cursor
  if (!isWhole || !SORTS[sort].isValue.test(place.value)) throw invalidFields({ [field]: 'This page is not there any more. Begin with the first one.' })
  return place
}

/** The cursor of a place. */
export function cursorOf({ value, id }: Place): string {
  return Buffer.from(`${value}${SEPARATOR}${id}`).toString('base64url')
}

/** The state of an agent in SQL; says the same as `agentState`. */
export const stateSql = sql<AgentState>`case ${sessions.status}
  when 'creating' then 'starting'
  when 'running' then case when ${sessions.activity} in ('working', 'needs-you') then ${sessions.activity} else 'running' end
  when 'idle' then case when ${sessions.activity} = 'needs-you' then 'needs-you' else 'idle' end
  when 'asleep' then 'idle'
  when 'failed' then 'failed'
  else 'stopped' end`

const rankSql = sql`array_position(array[${sql.join(
  FLEET_STATES.map((state) => sql`${state}`),
  sql`, `,
)}]::text[], ${stateSql})`

/** What each order sorts by; the agent's number decides between equals. */
export const SORTS: Record<FleetSort, { by: SQL; type: SQL; isValue: RegExp }> = {
  state: { by: rankSql, type: sql`int`, isValue: /^\d$/ },
  name: { by: sql`lower(${agents.name})`, type: sql`text`, isValue: /^[^\0]*$/ },
  owner: { by: sql`lower(${users.displayName})`, type: sql`text`, isValue: /^[^\0]*$/ },
  // Whole microseconds, so that the text of a cursor is the time itself.
  active: { by: sql`coalesce((extract(epoch from ${sessions.lastActive}) * 1000000)::bigint, 0)`, type: sql`bigint`, isValue: /^\d{1,17}$/ },
}

/** Rows that a search finds: a part of the agent's or its owner's name, of the owner's address, or the agent's number. */
export function found(q: string): SQL | undefined {
  const text = q.replaceAll('\0', '').toWellFormed().trim().toLowerCase()
  if (text === '') return undefined
  const parts = [agents.name, users.username, users.displayName, users.email].map((column) => sql`strpos(lower(${column}), ${text}) > 0`)
  const id = /^#?([1-9]\d{0,14})$/.exec(text)?.[1]
  return sql`(${sql.join(id ? [...parts, sql`${agents.id} = ${Number(id)}`] : parts, sql` or `)})`
}

/** How often an agent's sandbox came back by itself in the last day. */
export const healedSql = sql<number>`(select count(*)::int from ${sandboxStarts} where ${sandboxStarts.agentId} = ${agents.id} and ${sandboxStarts.cause} is not null and ${sandboxStarts.startedAt} > now() - interval '1 day')`
