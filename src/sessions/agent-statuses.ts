// What each agent does now, for lists: the session's row with what the sandbox uses.
import type { Agent, Agents } from '../agents/agents.ts'
import type { Runtime, SandboxUsage } from '../runtime/runtime.ts'
import { type SessionRow, UP } from './schema.ts'
import type { Sessions } from './sessions.ts'

/** The word and icon of an agent in the lists; see the interface's table of states. */
export type AgentState = 'starting' | 'running' | 'working' | 'needs-you' | 'idle' | 'stopped' | 'failed'

/** State of an agent by its session. */
export function agentState(session: SessionRow | undefined): AgentState {
  switch (session?.status) {
    case 'creating':
      return 'starting'
    case 'running':
      return session.activity === 'working' || session.activity === 'needs-you' ? session.activity : 'running'
    case 'idle':
      // An open question stays one, however long ago it was asked.
      return session.activity === 'needs-you' ? 'needs-you' : 'idle'
    case 'asleep':
      return 'idle'
    case 'failed':
      return 'failed'
    default:
      return 'stopped'
  }
}

/** One agent with its session and use. */
export interface AgentStatus {
  agent: Agent
  session?: SessionRow
  state: AgentState
  usage?: SandboxUsage
}

const USAGE_CACHE_MS = 1000
const MAX_CACHED = 5000

/** Reads statuses of a user's agents in two queries; what a sandbox uses is looked at once a second, however many ask. */
export class AgentStatuses {
  private readonly usages = new Map<number, { readAt: number; usage: Promise<SandboxUsage | undefined> }>()

  constructor(private readonly deps: { agents: Agents; sessions: Sessions; runtime: Runtime }) {}

  /** With the agents themselves, for pages. */
  async withAgents(user: { id: number }): Promise<AgentStatus[]> {
    const [agents, sessions] = await Promise.all([this.deps.agents.list(user), this.deps.sessions.list(user)])
    const byAgent = new Map(sessions.map((session) => [session.agentId, session]))
    return Promise.all(agents.map((agent) => this.status(agent, byAgent.get(agent.id))))
  }

  /** For the JSON API. */
  async list(user: { id: number }) {
    return (await this.withAgents(user)).map(({ agent, session, state, usage }) => ({
      agent_id: agent.id,
      session_id: session?.id ?? null,
      status: state,
      line: session?.activityDetail ?? session?.reason ?? null,
      cpu_usage_percent: usage?.cpuPercent ?? null,
      memory_usage_bytes: usage?.memoryBytes ?? null,
      memory_usage_percent: usage?.memoryPercent ?? null,
    }))
  }

  private async status(agent: Agent, session: SessionRow | undefined): Promise<AgentStatus> {
    const isUp = session !== undefined && UP.includes(session.status)
    return { agent, session, state: agentState(session), usage: isUp ? await this.usage(agent) : undefined }
  }

  private usage(agent: Agent): Promise<SandboxUsage | undefined> {
    const known = this.usages.get(agent.id)
    if (known && performance.now() - known.readAt < USAGE_CACHE_MS) return known.usage
    if (this.usages.size >= MAX_CACHED) this.usages.clear()
    const usage = this.deps.runtime.usage({ userId: agent.createdBy, agentId: agent.id })
    this.usages.set(agent.id, { readAt: performance.now(), usage })
    // A look that failed is no answer for the next one.
    usage.catch(() => this.usages.delete(agent.id))
    return usage
  }
}
