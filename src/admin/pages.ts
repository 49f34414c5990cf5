// Pages of the admin area: agents of everyone, and what an admin does with them.
import { Elysia, t } from 'elysia'
import { AdminAgentPage, AgentNow, AgentPast } from '../../views/admin/agent.tsx'
import { AdminAgentsPage, FleetView } from '../../views/admin/agents.tsx'
import type { AgentDetailView, FleetPage } from '../../views/admin/model.ts'
import type { AppEvent, Bus } from '../bus/bus.ts'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { type Draw, keepTrue, marksOf } from '../http/keep-true.ts'
import { page, redirect } from '../http/respond.ts'
import { SHOWN_PATTERN, Shown } from '../http/shown.ts'
import type { EventStreams } from '../http/sse.ts'
import { parseId } from '../lib/ids.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Logins } from '../users/logins.ts'
import { FLEET_FIELDS, type FleetAddress, oneOf, placeIn, queryIn } from './address.ts'
import { type Admin, asAdmin, type Fleet } from './fleet.ts'
import { detailView, fleetPage } from './fleet-views.ts'

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
const WHY = t.Optional(t.Object({ reason: t.Optional(t.String()) }))

/** The admin area. */
export function adminPages(deps: Deps) {
  const { fleet, metrics, frames, streams, bus, logins, edge } = deps
  const read = async (admin: Admin, address: FleetAddress): Promise<FleetPage> => {
    const query = queryIn(address)
    const [slice, counts] = await Promise.all([fleet.page(admin, query, placeIn(address), PAGE_ROWS), fleet.counts(admin, query.q)])
    return fleetPage(query, { slice, counts, metrics: metrics() })
  }
  const readAgent = async (admin: Admin, id: string | undefined) => detailView(await fleet.detail(admin, parseId(id)), metrics())
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
      { query: t.Object(FLEET_FIELDS) },
    )
    .get('/agents/:agentId', async ({ user, params }) => {
      const agent = await readAgent(asAdmin(user), params.agentId)
      const events = `?page=agent&agent=${agent.id}&shown=${await marksOf(drawnAgent(agent))}`
      return page((nonce) => AdminAgentPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), agent, events }))
    })
    .post(
      '/agents/:agentId/stop',
      async ({ user, params, body }) => {
        const admin = asAdmin(user)
        await fleet.stop(admin, await fleet.agent(admin, parseId(params.agentId)), body?.reason)
        return redirect(`/admin/agents/${params.agentId}`)
      },
      { body: WHY },
    )
    .post(
      '/agents/:agentId/restart',
      async ({ user, params, body }) => {
        const admin = asAdmin(user)
        await fleet.restart(admin, await fleet.agent(admin, parseId(params.agentId)), body?.reason)
        return redirect(`/admin/agents/${params.agentId}`)
      },
      { body: WHY },
    )
    .get(
      '/events',
      ({ user, loginId, query, request, server }) => {
        const admin = asAdmin(user)
        const { page: which, shown, agent, ...address } = query
        const draw = drawOf(which, { list: () => read(admin, address), agent: () => readAgent(admin, agent) })
        server?.timeout(request, 0)
        return streams.answer(loginId, (sink) => keepTrue({ bus, concerns, draw, shown: Shown.parse(request.headers.get('last-event-id') ?? shown ?? ''), sink }))
      },
      {
        query: t.Object({
          ...FLEET_FIELDS,
          page: t.Optional(oneOf(['agents', 'agent'])),
          agent: t.Optional(t.String({ pattern: '^[0-9]{1,15}$' })),
          shown: t.Optional(t.String({ pattern: SHOWN_PATTERN })),
        }),
      },
    )
}

const concerns = (event: AppEvent) => event.kind === 'session.changed' || event.kind === 'agent.changed'

function drawn(fleet: FleetPage): Draw {
  return async () => ({ fleet: await FleetView({ fleet }) })
}

function drawnAgent(agent: AgentDetailView): Draw {
  return async () => ({ 'agent-now': await AgentNow({ agent }), 'agent-past': await AgentPast({ agent }) })
}

function drawOf(which: 'agents' | 'agent' | undefined, { list, agent }: { list: () => Promise<FleetPage>; agent: () => Promise<AgentDetailView> }): Draw {
  if (which === 'agents') return async () => drawn(await list())()
  return which === 'agent' ? async () => drawnAgent(await agent())() : async () => ({})
}
