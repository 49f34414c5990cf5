// The list of agents as pages show it: state, second line, use.
import type { AgentCard, AgentList } from '../../views/model.ts'
import type { AgentStatus, AgentStatuses } from '../sessions/agent-statuses.ts'
import type { Settings } from '../settings/settings.ts'
import { ongoingWord } from './stage.ts'

/** Builds the list for a user. */
export class Lists {
  constructor(private readonly deps: { statuses: AgentStatuses; settings: Settings }) {}

  async of(user: { id: number }, currentId?: number): Promise<AgentList> {
    const [statuses, limits] = await Promise.all([this.deps.statuses.withAgents(user), this.deps.settings.limits(user.id)])
    return { cards: statuses.map(cardOf), currentId, limit: limits.maxAgents }
  }
}

/** One row. */
export function cardOf({ agent, session, state, usage }: AgentStatus): AgentCard {
  return {
    id: agent.id,
    name: agent.name,
    icon: agent.icon,
    state,
    line: lineOf({ agent, session, state }),
    usage: usage && { cpuPercent: usage.cpuPercent, memoryPercent: usage.memoryPercent },
  }
}

function lineOf({ agent, session, state }: AgentStatus): string {
  switch (state) {
    case 'working':
    case 'needs-you':
      return session?.activityDetail ?? (state === 'working' ? 'Working on it' : 'Waits for your answer')
    case 'running':
      return 'Waiting at the prompt'
    case 'idle':
      return session?.status === 'asleep' ? 'Sleeps until you wake it' : 'Nothing to do for a while'
    case 'failed':
      return session?.reason ?? 'It could not start'
    case 'starting':
      return ongoingWord(session?.steps ?? [])
    default:
      return session?.reason ?? agent.description ?? ''
  }
}
