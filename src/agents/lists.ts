// The list of agents as pages show it: state, second line, use.
import type { AgentCard, AgentList } from '../../views/model.ts'
import type { AgentStatus, AgentStatuses } from '../sessions/agent-statuses.ts'
import type { Settings } from '../settings/settings.ts'
import { lineOf } from './words.ts'

/** Builds the list for a user. */
export class Lists {
  constructor(private readonly deps: { statuses: AgentStatuses; settings: Settings }) {}

  async of(user: { id: number }, currentId?: number): Promise<AgentList> {
    const [statuses, limits] = await Promise.all([this.deps.statuses.withAgents(user), this.deps.settings.limits(user.id)])
    return { cards: statuses.map(cardOf), currentId, limit: limits.maxAgents, image: limits.image }
  }
}

/** One row. */
export function cardOf({ agent, session, state, usage }: AgentStatus): AgentCard {
  return {
    id: agent.id,
    name: agent.name,
    icon: agent.icon,
    state,
    line: lineOf({ description: agent.description, session, state }),
    usage: usage && { cpuPercent: usage.cpuPercent, memoryPercent: usage.memoryPercent },
  }
}
