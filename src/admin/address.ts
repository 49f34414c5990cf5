// What an address of the list of everyone's agents may say, for its page and for the API.
import { t } from 'elysia'
import type { FleetPlace } from './fleet.ts'
import { FLEET_SORTS, FLEET_STATES, type FleetQuery, placeOf } from './fleet-query.ts'

/** One of these words. */
export const oneOf = <const T extends readonly string[]>(words: T) => t.Unsafe<T[number]>(t.String({ pattern: `^(${words.join('|')})$` }))

const CURSOR = t.Optional(t.String({ maxLength: 600, pattern: '^[\\w-]+$' }))

/** Fields of the query. */
export const FLEET_FIELDS = {
  q: t.Optional(t.String({ maxLength: 100 })),
  state: t.Optional(oneOf(FLEET_STATES)),
  sort: t.Optional(oneOf(FLEET_SORTS)),
  dir: t.Optional(oneOf(['asc', 'desc'])),
  before: CURSOR,
  after: CURSOR,
}

/** A query as it came. */
export interface FleetAddress {
  q?: string
  state?: FleetQuery['state']
  sort?: FleetQuery['sort']
  dir?: 'asc' | 'desc'
  before?: string
  after?: string
}

/** Search, filter and order; what needs somebody comes first unless told otherwise. */
export function queryIn({ q = '', state, sort = 'state', dir }: FleetAddress): FleetQuery {
  return { q, state, sort, descending: dir === 'desc' }
}

/** Which page. Throws `invalid` for a cursor that names none. */
export function placeIn({ before, after, sort = 'state' }: FleetAddress): FleetPlace {
  if (after) return { after: placeOf(after, 'after', sort) }
  return before ? { before: placeOf(before, 'before', sort) } : undefined
}
