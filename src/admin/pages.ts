// Pages of the admin area: agents of everyone, and what an admin does with them.
import { Elysia, t } from 'elysia'
import { AdminAgentsPage, FleetView } from '../../views/admin/agents.tsx'
import type { FleetPage } from '../../views/admin/model.ts'
import type { AppEvent, Bus } from '../bus/bus.ts'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { type Draw, keepTrue, marksOf } from '../http/keep-true.ts'
import { page, redirect } from '../http/respond.ts'
import { SHOWN_PATTERN, Shown } from '../http/shown.ts'
import type { EventStreams } from '../http/sse.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Logins } from '../users/logins.ts'
import { type Admin, asAdmin, type Fleet, type FleetPlace } from './fleet.ts'
import { FLEET_SORTS, FLEET_STATES, type FleetQuery, placeOf } from './fleet-query.ts'
import { fleetPage } from './fleet-views.ts'

interface Deps {
  fleet: Fleet
  metrics: Runtime['metrics']
  bus: Bus
  streams: EventStreams
  frames: Frames
  logins: Logins
  edge: EdgeRules
}

const PAGE_ROWS = 50
const oneOf = <const T extends readonly string[]>(words: T) => t.Unsafe<T[number]>(t.String({ pattern: `^(${words.join('|')})$` }))
const CURSOR = t.Optional(t.String({ maxLength: 600, pattern: '^[\\w-]+$' }))
const FLEET = {
  q: t.Optional(t.String({ maxLength: 100 })),
  state: t.Optional(oneOf(FLEET_STATES)),
  sort: t.Optional(oneOf(FLEET_SORTS)),
  dir: t.Optional(oneOf(['asc', 'desc'])),
  before: CURSOR,
  after: CURSOR,
}

/** What the address of the list may say. */
interface FleetAddress {
  q?: string
  state?: FleetQuery['state']
  sort?: FleetQuery['sort']
  dir?: 'asc' | 'desc'
  before?: string
  after?: string
}

/** The admin area. */
export function adminPages(deps: Deps) {
  const { fleet, metrics, frames, streams, bus, logins, edge } = deps
  const read = async (admin: Admin, address: FleetAddress): Promise<FleetPage> => {
    const query = { q: address.q ?? '', state: address.state, sort: address.sort ?? 'state', descending: address.dir === 'desc' } as const
    const [slice, counts] = await Promise.all([fleet.page(admin, query, placeIn(address, query), PAGE_ROWS), fleet.counts(admin, query.q)])
    return fleetPage(query, { slice, counts, metrics: metrics() })
  }
  return new Elysia({ name: 'admin-pages', prefix: '/admin' })
    .use(adminOnly({ logins, edge }))
    .get('/', () => redirect('/admin/agents'))
    .get(
      '/agents',
      async ({ user, query }) => {
        const found = await read(asAdmin(user), query)
        const events = new URLSearchParams({ ...query, page: 'agents', shown: await marksOf(drawn(found)) })
        return page((nonce) => AdminAgentsPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), fleet: found, events: `?${events}` }))
      },
      { query: t.Object(FLEET) },
    )
    .get(
      '/events',
      ({ user, loginId, query, request, server }) => {
        const admin = asAdmin(user)
        const { page: which, shown, ...address } = query
        const draw: Draw = which === 'agents' ? async () => drawn(await read(admin, address))() : async () => ({})
        server?.timeout(request, 0)
        return streams.answer(loginId, (sink) => keepTrue({ bus, concerns, draw, shown: Shown.parse(request.headers.get('last-event-id') ?? shown ?? ''), sink }))
      },
      { query: t.Object({ ...FLEET, page: t.Optional(t.Literal('agents')), shown: t.Optional(t.String({ pattern: SHOWN_PATTERN })) }) },
    )
}

const concerns = (event: AppEvent) => event.kind === 'session.changed' || event.kind === 'agent.changed'

function drawn(fleet: FleetPage): Draw {
  return async () => ({ fleet: await FleetView({ fleet }) })
}

function placeIn({ before, after }: FleetAddress, { sort }: FleetQuery): FleetPlace {
  if (after) return { after: placeOf(after, 'after', sort) }
  return before ? { before: placeOf(before, 'before', sort) } : undefined
}
