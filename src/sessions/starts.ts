// The last starts of each agent's sandbox, kept for admins: what each came to, and what the system itself said about it.
import { and, desc, eq, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import type { Db } from '../db/client.ts'
import { withoutSecrets } from '../lib/evidence.ts'
import { type SandboxStartRow, type SessionRow, sandboxStarts } from './schema.ts'

const KEPT_EACH = 20

/** Which start: an agent's session begins a new one at each moment once. */
type StartOf = Pick<SessionRow, 'agentId' | 'startedAt'>

/** What is noted about a start. */
export interface StartNews extends Partial<Pick<SandboxStartRow, 'outcome' | 'generation' | 'reason' | 'steps' | 'readyAt' | 'endedAt'>> {
  /** The system's own words; secrets of the agent are taken out of them. */
  evidence?: string
}

/** Keeps and tells. Everything the system says passes here, and loses the agent's secrets. */
export class Starts {
  constructor(private readonly deps: { db: Db; hidden: (agent: Agent) => string[] }) {}

  /** Begins the record of a start. `cause` is what had ended the sandbox before, where it comes back by itself. */
  async begin({ agentId, startedAt }: StartOf, cause: string | null): Promise<void> {
    const { db } = this.deps
    await db.insert(sandboxStarts).values({ agentId, startedAt, cause }).onConflictDoNothing()
    const newest = db.select({ id: sandboxStarts.id }).from(sandboxStarts).where(eq(sandboxStarts.agentId, agentId)).orderBy(desc(sandboxStarts.id)).limit(1).offset(KEPT_EACH)
    await db.delete(sandboxStarts).where(and(eq(sandboxStarts.agentId, agentId), sql`${sandboxStarts.id} <= (${newest})`))
  }

  /** Notes what happened to a start; `secrets` are known to the caller beside those of the agent's environment. */
  async note(agent: Agent, { agentId, startedAt }: StartOf, { evidence, ...news }: StartNews, secrets: readonly string[] = []): Promise<void> {
    const change = { ...news, ...(evidence === undefined ? {} : { evidence: this.cleaned(agent, evidence, secrets) }) }
    if (Object.keys(change).length === 0) return
    await this.deps.db
      .update(sandboxStarts)
      .set(change)
      .where(and(eq(sandboxStarts.agentId, agentId), eq(sandboxStarts.startedAt, startedAt)))
  }

  /** Newest first. */
  async list(agent: Pick<Agent, 'id'>): Promise<SandboxStartRow[]> {
    return this.deps.db.select().from(sandboxStarts).where(eq(sandboxStarts.agentId, agent.id)).orderBy(desc(sandboxStarts.id)).limit(KEPT_EACH)
  }

  /** What a system says about an agent, without the values of the agent's environment and without credentials. */
  cleaned(agent: Agent, text: string, secrets: readonly string[] = []): string {
    return withoutSecrets(text, [...this.deps.hidden(agent), ...secrets])
  }
}
