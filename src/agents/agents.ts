// Agents: created, changed and deleted by their owner. The row says what should be; other features make it so.
import { and, count, desc, eq, gt, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import type { Bus } from '../bus/bus.ts'
import type { Db, Transaction, Within } from '../db/client.ts'
import { randomToken, type SecretBox, sha256Hex } from '../lib/crypto.ts'
import { AppError, invalidFields, notFound } from '../lib/errors.ts'
import type { UrlRules } from '../lib/url-rules.ts'
import { Superseded } from '../runtime/runtime.ts'
import { LIVE, sessions } from '../sessions/schema.ts'
import type { Settings } from '../settings/settings.ts'
import { users } from '../users/schema.ts'
import { cliEnvironment, hiddenValues } from './environment.ts'
import { blankAgent, mergedAgent, whatStartsReads } from './merging.ts'
import { type AgentInput, agentProblems } from './rules.ts'
import { type AgentRow, agents, sandboxTokens } from './schema.ts'

/** Proof that whoever holds it may act on this agent: only `owned` and `bySandboxToken` hand one out to requests. */
export type Agent = AgentRow

type Owner = { id: number }

/** How long a sandbox that should end may still send what it has: longer than one takes to end. */
const LAST_WORDS_MS = 60_000

/** Creates, finds and changes agents. */
export class Agents {
  private readonly listOf

  constructor(private readonly deps: { db: Db; bus: Bus; settings: Settings; box: SecretBox; urls: UrlRules }) {
    // Every page and many requests ask for it: its SQL is made once.
    this.listOf = deps.db
      .select()
      .from(agents)
      .where(and(eq(agents.createdBy, sql.placeholder('userId')), isNull(agents.deletedAt)))
      .orderBy(desc(agents.id))
      .prepare('agents_of_user')
  }

  /** The user's agent, or `not_found` for a stranger's and for none. */
  async owned(user: Owner, id: number): Promise<Agent> {
    const [row] = Number.isSafeInteger(id) ? await this.deps.db.select().from(agents).where(mine(user, id)).limit(1) : []
    if (!row) throw notFound('This agent')
    return row
  }

  /** The user's agents, newest first. */
  async list(user: Owner): Promise<Agent[]> {
    return this.listOf.execute({ userId: user.id })
  }

  /** Creates an agent within the user's limit and the given transaction. Throws `invalid` with fields or `conflict` `quota_exceeded`. */
  async create(user: Owner, input: AgentInput & { name: string }, within: Within = (work) => this.deps.db.transaction(work)): Promise<Agent> {
    await this.check(user, input)
    // Read before the transaction: a second connection inside one could wait for itself when the pool is full.
    const { maxAgents } = await this.deps.settings.limits(user.id)
    const agent = await within(async (tx) => {
      // The user's row is the lock: parallel creations queue up here and see each other's agents.
      await tx.select({ id: users.id }).from(users).where(eq(users.id, user.id)).for('update')
      const [{ total } = { total: 0 }] = await tx
        .select({ total: count() })
        .from(agents)
        .where(and(eq(agents.createdBy, user.id), isNull(agents.deletedAt)))
      if (total >= maxAgents) throw new AppError('conflict', 'quota_exceeded', `You have ${total} of ${maxAgents} agents. Delete one, or ask an admin for more.`)
      return this.insert(tx, user, input)
    })
    await this.announce(agent)
    return agent
  }

  /**
   * Changes what `input` names and nothing else; never restarts anything. `expectedVersion` guards against lost
   * updates: another one throws `stale`.
   */
  async update(agent: Agent, input: AgentInput, expectedVersion?: number): Promise<Agent> {
    await this.check({ id: agent.createdBy }, input, agent.image)
    const changed = await this.deps.db.transaction(async (tx) => {
      const [row] = await tx
        .select()
        .from(agents)
        .where(mine({ id: agent.createdBy }, agent.id))
        .for('update')
      if (!row) throw notFound('This agent')
      if (expectedVersion !== undefined && expectedVersion !== row.version) {
        throw new AppError('stale', 'version_conflict', 'This agent was changed meanwhile, in another tab or by an admin. Reload to see it, then save again.')
      }
      const next = mergedAgent(row, input, this.deps.box)
      const version = row.version + 1
      const needsRestart = whatStartsReads(next) !== whatStartsReads(row)
      const [saved] = await tx
        .update(agents)
        .set({ ...next, version, restartVersion: needsRestart ? version : row.restartVersion, updatedAt: new Date() })
        .where(eq(agents.id, row.id))
        .returning()
      return saved ?? row
    })
    await this.announce(changed)
    return changed
  }

  /** Marks it as deleted; the reconcile loop ends its sandbox and removes files and row. */
  async delete(agent: Agent): Promise<void> {
    const gone = await this.deps.db
      .update(agents)
      .set({ deletedAt: new Date() })
      .where(and(eq(agents.id, agent.id), isNull(agents.deletedAt)))
      .returning({ id: agents.id })
    if (gone.length === 0) throw notFound('This agent')
    await this.deps.db.delete(sandboxTokens).where(eq(sandboxTokens.agentId, agent.id))
    await this.announce(agent)
  }

  /** Agents that wait for their removal. */
  async condemned(): Promise<Agent[]> {
    return this.deps.db.select().from(agents).where(isNotNull(agents.deletedAt))
  }

  /** Removes the row of a condemned agent with everything that hangs on it. */
  async forget(agent: Agent): Promise<void> {
    await this.deps.db.delete(agents).where(and(eq(agents.id, agent.id), isNotNull(agents.deletedAt)))
  }

  /**
   * Begins a new generation, above all that were seen: the old sandbox token dies, the new one is returned and stored as a
   * hash only. `image` is the one for agents without one of their own; what the start takes is in `startedImage`. Throws
   * Superseded when it is for a start that the session is not at any more.
   */
  async nextGeneration(
    agent: Agent,
    image = '',
    { above = 0, start }: { above?: number; start?: { id: string; startedAt: Date } } = {},
  ): Promise<{ agent: Agent; sandboxToken: string }> {
    const sandboxToken = randomToken()
    const tokenHash = sha256Hex(sandboxToken)
    const next = await this.deps.db.transaction(async (tx) => {
      if (start) {
        const asked = and(eq(sessions.id, start.id), eq(sessions.startedAt, start.startedAt), eq(sessions.status, 'creating'))
        const [session] = await tx.select({ id: sessions.id }).from(sessions).where(asked).for('share')
        if (!session) throw new Superseded(agent.generation)
      }
      const [row] = await tx
        .update(agents)
        .set({ generation: sql`greatest(${agents.generation}, ${above}::int) + 1`, startedVersion: sql`${agents.version}`, startedImage: sql`coalesce(${agents.image}, ${image})` })
        .where(mine({ id: agent.createdBy }, agent.id))
        .returning()
      if (!row) throw notFound('This agent')
      const token = { tokenHash, agentId: row.id, generation: row.generation }
      await tx
        .insert(sandboxTokens)
        .values(token)
        .onConflictDoUpdate({ target: sandboxTokens.agentId, set: { tokenHash, generation: row.generation, createdAt: new Date() } })
      return row
    })
    return { agent: next, sandboxToken }
  }

  /**
   * The agent whose present sandbox holds this token. Identity of the internal API comes from here alone. The token of an
   * agent that was stopped or fell asleep is good for a minute more, in which its sidecar sends what was written last; what
   * it cannot send then is in its journal, for the next start.
   */
  async bySandboxToken(token: string): Promise<Agent | undefined> {
    const { db } = this.deps
    // One that was never started by a session has nothing that could have ended.
    const mayRun = db
      .select({ mayRun: sql<boolean>`${or(inArray(sessions.status, LIVE), gt(sessions.updatedAt, new Date(Date.now() - LAST_WORDS_MS)))}` })
      .from(sessions)
      .where(eq(sessions.agentId, agents.id))
      .orderBy(desc(sessions.createdAt))
      .limit(1)
    const [row] = await db
      .select()
      .from(sandboxTokens)
      .innerJoin(agents, and(eq(agents.id, sandboxTokens.agentId), eq(agents.generation, sandboxTokens.generation)))
      .where(and(eq(sandboxTokens.tokenHash, sha256Hex(token)), isNull(agents.deletedAt), sql`coalesce((${mayRun}), true)`))
      .limit(1)
    return row?.agents
  }

  /** The agent as it is now, for the reconcile loop. */
  async present(id: number): Promise<Agent | undefined> {
    const [row] = await this.deps.db
      .select()
      .from(agents)
      .where(and(eq(agents.id, id), isNull(agents.deletedAt)))
      .limit(1)
    return row
  }

  /** Variables for the CLI with secrets opened. Throws `unavailable` when a secret cannot be. */
  environment(agent: Agent): Record<string, string> {
    return cliEnvironment(agent, this.deps.box)
  }

  /** Values that are taken out of what a system says about the agent. */
  hiddenValues(agent: Agent): string[] {
    return hiddenValues(agent, this.deps.box)
  }

  /** CLAUDE.md: the system's text, then the agent's own. */
  async instructions(agent: Agent): Promise<string> {
    const parts = [await this.deps.settings.systemInstructions(), agent.instructions]
    return parts
      .map((part) => part.trim())
      .filter(Boolean)
      .join('\n\n---\n\n')
  }

  private async check(user: Owner, input: AgentInput, image: string | null = null): Promise<void> {
    const problems = agentProblems(input, await this.deps.settings.limits(user.id), this.deps.urls, image)
    if (Object.keys(problems).length > 0) throw invalidFields(problems, problemCode(problems))
  }

  private async insert(tx: Transaction, user: Owner, input: AgentInput & { name: string }): Promise<Agent> {
    const [{ id } = { id: 0 }] = await tx.execute<{ id: number }>(sql`select nextval('agents_id_seq')::int as id`)
    const blank = blankAgent(id, input.name.trim())
    const [row] = await tx
      .insert(agents)
      .values({ ...blank, ...mergedAgent(blank, input, this.deps.box), createdBy: user.id })
      .returning()
    if (!row) throw new Error('an insert returned no row')
    return row
  }

  private async announce(agent: Agent): Promise<void> {
    await this.deps.bus.publish({ kind: 'agent.changed', userId: agent.createdBy, agentId: agent.id })
  }
}

function mine(user: Owner, id: number) {
  return and(eq(agents.id, id), eq(agents.createdBy, user.id), isNull(agents.deletedAt))
}

function problemCode(problems: Record<string, string>): string {
  const field = Object.keys(problems)[0]
  if (field === 'custom_envs') return problems.custom_envs?.includes('set by the portal') ? 'env_reserved' : 'env_invalid'
  if (field === 'anthropic_base_url' || field?.endsWith('_proxy')) return 'url_not_allowed'
  if (field === 'cpu_limit' || field === 'memory_limit_mb') return 'resource_out_of_range'
  return 'validation_failed'
}
