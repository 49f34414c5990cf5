// From what the services know of everyone's agents to what the admins' pages show. Pure.
import type { AgentDetailView, FleetPage, FleetRow, StartView } from '../../views/admin/model.ts'
import { ongoingWord } from '../agents/words.ts'
import type { Metrics } from '../runtime/runtime.ts'
import type { FleetAgent, FleetDetail, FleetSlice } from './fleet.ts'
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
    image: details?.image || agent.startedImage || undefined,
    restarts: (details?.restarts ?? 0) + agent.healed,
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

/** One agent with its starts and events. */
export function detailView(detail: FleetDetail, metrics: Metrics): AgentDetailView {
  const { agent, session, details, starts, usage } = detail
  return {
    ...fleetRow(detail),
    createdAt: agent.createdAt,
    generation: agent.generation,
    node: details.node,
    memoryBytes: usage?.memoryBytes,
    readyAt: session?.readyAt ?? undefined,
    reason: session?.reason ?? undefined,
    warning: session?.warning ?? undefined,
    notice: session?.notice ?? undefined,
    starts: starts.map((start) => startView(start, detail)),
    events: details.events,
    metrics: metrics.kind,
    metricsEvidence: 'evidence' in metrics ? metrics.evidence : undefined,
  }
}

function startView(start: FleetDetail['starts'][number], { session }: FleetDetail): StartView {
  const { outcome, startedAt, readyAt, endedAt, generation, cause, reason, evidence } = start
  const isPresent = session?.startedAt.getTime() === startedAt.getTime()
  // One that neither came up nor failed, and is not going on, was stopped or replaced meanwhile.
  const word = outcome === 'starting' && !(isPresent && session?.status === 'creating') ? 'given-up' : outcome
  const until = readyAt ?? endedAt
  return {
    startedAt,
    outcome: word,
    generation: generation ?? undefined,
    seconds: until ? (until.getTime() - startedAt.getTime()) / 1000 : undefined,
    cause: cause ?? undefined,
    reason: reason ?? undefined,
    evidence: evidence ?? undefined,
  }
}
