// From what the services know of everyone's agents to what the admins' pages show. Pure.
import type { FleetPage, FleetRow } from '../../views/admin/model.ts'
import { ongoingWord } from '../agents/words.ts'
import type { Metrics } from '../runtime/runtime.ts'
import type { FleetAgent, FleetSlice } from './fleet.ts'
import type { FleetQuery } from './fleet-query.ts'

/** One page of the list. */
export function fleetPage(query: FleetQuery, { slice, counts, metrics }: { slice: FleetSlice; counts: FleetPage['counts']; metrics: Metrics }): FleetPage {
  const { agents, before, after } = slice
  return { rows: agents.map(fleetRow), query, counts, before, after, metrics: metrics.kind }
}

/** One row. */
export function fleetRow(agent: FleetAgent): FleetRow {
  const { id, name, icon, state, session, details, usage } = agent
  return {
    id,
    name,
    icon,
    state,
    line: lineOf(agent),
    owner: { id: agent.userId, displayName: agent.ownerName, username: agent.ownerUsername },
    image: details?.image,
    restarts: details?.restarts ?? 0,
    usage: usage && { cpuPercent: usage.cpuPercent, memoryPercent: usage.memoryPercent },
    activeAt: session?.lastActive,
  }
}

// What an agent works on is its owner's: an admin is told what is the matter with it, not what it does.
function lineOf({ state, session }: FleetAgent): string {
  switch (state) {
    case 'failed':
      return session?.reason ?? 'It could not start'
    case 'starting':
      return session?.steps.at(-1)?.detail ?? ongoingWord(session?.steps ?? [])
    case 'stopped':
      return session?.reason ?? ''
    case 'idle':
      return session?.status === 'asleep' ? 'Asleep' : ''
    default:
      return ''
  }
}
