// The list of agents as pages show it: state, second line, use.
import type { AgentCard, AgentList } from '../../views/model.ts'
import type { Metrics } from '../runtime/runtime.ts'
import type { AgentStatus, AgentStatuses } from '../sessions/agent-statuses.ts'
import type { Settings } from '../settings/settings.ts'
import { lineOf } from './words.ts'

/** Builds the list for a user. */
export class Lists {
  constructor(private readonly deps: { statuses: AgentStatuses; settings: Settings; metrics: () => Metrics }) {}

  async of(user: { id: number }, currentId?: number): Promise<AgentList> {
    const [statuses, limits] = await Promise.all([this.deps.statuses.withAgents(user), this.deps.settings.limits(user.id)])
    return { cards: statuses.map(cardOf), currentId, limit: limits.maxAgents, image: limits.image, note: this.noteOn(statuses) }
  }

  // Whoever looks for bars that are not there is told once; why, is for admins.
  private noteOn(statuses: AgentStatus[]): string | undefined {
    const runs = statuses.some(({ session }) => session?.status === 'running' || session?.status === 'idle')
    const { kind } = this.deps.metrics()
    return runs && kind !== 'here' && kind !== 'pending' ? 'CPU and memory are not measured here.' : undefined
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
