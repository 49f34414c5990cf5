// JSON API of everyone's agents for admins: list, one agent with its starts and events, restart, stop.
import { Elysia, t } from 'elysia'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { parseId } from '../lib/ids.ts'
import type { Runtime, SandboxEvent } from '../runtime/runtime.ts'
import type { SandboxStartRow } from '../sessions/schema.ts'
import type { Logins } from '../users/logins.ts'
import { FLEET_FIELDS, placeIn, queryIn } from './address.ts'
import { asAdmin, type Fleet, type FleetAgent } from './fleet.ts'

interface Deps {
  fleet: Fleet
  metrics: Runtime['metrics']
  logins: Logins
  edge: EdgeRules
}

const PAGE_ROWS = 50
const MOST_ROWS = 200
const LIST = t.Object({ ...FLEET_FIELDS, limit: t.Optional(t.Integer({ minimum: 1, maximum: MOST_ROWS })) }, { additionalProperties: false })
const WHY = t.Optional(t.Object({ reason: t.Optional(t.String()) }, { additionalProperties: false }))

/** Agents of everyone. */
export function adminAgentRoutes({ fleet, metrics, logins, edge }: Deps) {
  return new Elysia({ prefix: '/api/admin', name: 'admin-agents' })
    .use(adminOnly({ logins, edge }))
    .get(
      '/agents',
      async ({ user, query }) => {
        const admin = asAdmin(user)
        const wanted = queryIn(query)
        const [{ agents, before, after }, counts] = await Promise.all([fleet.page(admin, wanted, placeIn(query), query.limit ?? PAGE_ROWS), fleet.counts(admin, wanted.q)])
        return { agents: agents.map(agentJson), counts, before: before ?? null, after: after ?? null, metrics: metrics().kind }
      },
      { query: LIST },
    )
    .get('/agents/:agentId', async ({ user, params }) => {
      const { starts, details, ...agent } = await fleet.detail(asAdmin(user), parseId(params.agentId))
      return { ...agentJson({ ...agent, details }), node: details.node ?? null, starts: starts.map(startJson), events: details.events.map(eventJson), metrics: metrics() }
    })
    .get('/users/:userId/agents', async ({ user, params }) => ({ agents: (await fleet.ofUser(asAdmin(user), parseId(params.userId))).map(agentJson) }))
    .post(
      '/users/:userId/agents/:agentId/restart',
      async ({ user, params, body }) => {
        const admin = asAdmin(user)
        await fleet.restart(admin, await fleet.agent(admin, parseId(params.agentId), parseId(params.userId)), body?.reason)
        return { message: 'The agent starts anew.' }
      },
      { body: WHY },
    )
    .post(
      '/users/:userId/agents/:agentId/stop',
      async ({ user, params, body, set }) => {
        const admin = asAdmin(user)
        await fleet.stop(admin, await fleet.agent(admin, parseId(params.agentId), parseId(params.userId)), body?.reason)
        set.status = 204
      },
      { body: WHY },
    )
}

// The reference's words for what a pod does.
const POD_STATUS: Record<FleetAgent['state'], string> = {
  starting: 'Pending',
  running: 'Running',
  working: 'Running',
  'needs-you': 'Running',
  idle: 'Running',
  failed: 'Error',
  stopped: 'NotDeployed',
}

function agentJson(agent: FleetAgent) {
  const { session, details, usage } = agent
  return {
    id: agent.id,
    name: agent.name,
    user_id: agent.userId,
    owner: { id: agent.userId, username: agent.ownerUsername, display_name: agent.ownerName },
    status: agent.state,
    pod_status: session?.status === 'asleep' ? 'NotDeployed' : POD_STATUS[agent.state],
    reason: session?.reason ?? null,
    image: details?.image ?? agent.startedImage ?? null,
    restart_count: (details?.restarts ?? 0) + agent.healed,
    generation: agent.generation,
    cpu_usage_percent: usage?.cpuPercent ?? null,
    memory_usage_bytes: usage?.memoryBytes ?? null,
    memory_usage_percent: usage?.memoryPercent ?? null,
    last_active: session?.lastActive.toISOString() ?? null,
    created_at: agent.createdAt.toISOString(),
  }
}

function startJson({ startedAt, readyAt, endedAt, generation, outcome, cause, reason, evidence, steps }: SandboxStartRow) {
  const moment = (at: Date | null) => at?.toISOString() ?? null
  return { started_at: moment(startedAt), ready_at: moment(readyAt), ended_at: moment(endedAt), generation, outcome, cause, reason, evidence, steps }
}

function eventJson({ at, kind, reason, message, isWarning, count }: SandboxEvent) {
  return { at: at.toISOString(), kind, reason, message, type: isWarning ? 'Warning' : 'Normal', count }
}
