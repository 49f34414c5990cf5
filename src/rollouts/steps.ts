// The steps of single agents in a rollout. Each is one transaction that first looks whether it is still due: a killed
// server leaves a step undone or done, never half done, and doing one twice is harmless.
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import { agents } from '../agents/schema.ts'
import type { Bus } from '../bus/bus.ts'
import type { Db, Transaction } from '../db/client.ts'
import { type SessionRow, type SessionStatus, sessions } from '../sessions/schema.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Settings } from '../settings/settings.ts'
import type { Rollouts } from './rollouts.ts'
import { type RolloutAgentRow, type RolloutRow, rolloutAgents, rollouts } from './schema.ts'

const LIVE: SessionStatus[] = ['creating', 'running', 'idle']
/** Agents that do not run are changed so many at a time. */
const DORMANT_BATCH = 500

// For the agent's owner.
const NEW_IMAGE = 'An admin gave this agent another image. It was restarted with it; its conversation goes on.'
const OLD_IMAGE = 'An admin gave this agent another image, which did not come up. It was restarted with the one that it had; its conversation goes on.'

interface Deps {
  db: Db
  bus: Bus
  rollouts: Pick<Rollouts, 'announced'>
  sessions: Pick<Sessions, 'beginAnew' | 'announced'>
  settings: Pick<Settings, 'limits'>
}

interface GoingBack {
  /** Image of agents without one of their own. */
  inherited: string
  why: string
  /** What the session must be to begin anew. */
  from: SessionStatus[]
}

/** Moves single agents on. */
export class RolloutSteps {
  constructor(private readonly deps: Deps) {}

  /** Skips agents that were deleted, and gives those that do not run the image for their next start. */
  async passDormant(rollout: RolloutRow): Promise<void> {
    const { db } = this.deps
    await db.execute(sql`
      update rollout_agents set state = 'skipped', reason = 'The agent was deleted.', updated_at = now()
      where rollout_id = ${rollout.id} and state = 'queued' and not exists (select 1 from agents a where a.id = agent_id and a.deleted_at is null)`)
    for (;;) {
      const passed = await db.execute<{ agent_id: number; user_id: number }>(sql`
        with picked as (
          select r.id, r.agent_id, r.user_id, a.image, a.started_image from rollout_agents r
          join agents a on a.id = r.agent_id
          join rollouts o on o.id = r.rollout_id and o.status = 'running'
          where r.rollout_id = ${rollout.id} and r.state = 'queued' and a.deleted_at is null
            and not exists (select 1 from sessions s where s.agent_id = r.agent_id and s.status in ('creating', 'running', 'idle'))
          order by r.id limit ${DORMANT_BATCH} for update of r, a for share of o
        ), changed as (
          update agents set image = ${rollout.image} from picked where agents.id = picked.agent_id
        )
        update rollout_agents set state = 'done', reason = 'It does not run; it has the image from its next start on.',
          former_image = picked.image, former_started = picked.started_image, updated_at = now()
        from picked where rollout_agents.id = picked.id returning rollout_agents.agent_id::int, rollout_agents.user_id::int`)
      for (const { agent_id, user_id } of passed) await this.deps.bus.publish({ kind: 'agent.changed', userId: user_id, agentId: agent_id })
      if (passed.length > 0) await this.deps.rollouts.announced(rollout)
      if (passed.length < DORMANT_BATCH) return
    }
  }

  /** Agents whose turn may come now: not busy, or no longer left alone for it. */
  async due(rollout: RolloutRow): Promise<RolloutAgentRow[]> {
    const isQuiet = sql`(now() >= ${rollout.busyUntil.toISOString()}::timestamptz or not (${sql.raw(BUSY)} or ${sessions.lastActive} > now() - make_interval(secs => ${rollout.quietSeconds})))`
    const rows = await this.deps.db
      .select({ row: rolloutAgents })
      .from(rolloutAgents)
      .innerJoin(sessions, and(eq(sessions.agentId, rolloutAgents.agentId), inArray(sessions.status, LIVE)))
      .where(and(eq(rolloutAgents.rolloutId, rollout.id), eq(rolloutAgents.state, 'queued'), isQuiet, sql`(${rolloutAgents.retryAt} is null or ${rolloutAgents.retryAt} <= now())`))
      .orderBy(rolloutAgents.id)
      .limit(rollout.waveSize)
    return rows.map(({ row }) => row)
  }

  /** Gives a running agent its new image and has its session begin anew with it. */
  async begin(rollout: RolloutRow, { id, userId }: RolloutAgentRow, wave: number): Promise<void> {
    const target = rollout.image ?? (await this.inherited(userId))
    const session = await this.deps.db.transaction(async (tx) => {
      const [open] = await tx
        .select({ id: rollouts.id })
        .from(rollouts)
        .where(and(eq(rollouts.id, rollout.id), eq(rollouts.status, 'running')))
        .for('share')
      const row = open && (await this.locked(tx, id, 'queued'))
      const agent = row && (await lockedAgent(tx, row))
      if (!row || !agent) return undefined
      const former = { formerImage: agent.image, formerStarted: agent.startedImage, wave }
      await tx.update(agents).set({ image: rollout.image }).where(eq(agents.id, agent.id))
      if (agent.startedImage === target) return void (await this.write(tx, row, { ...former, state: 'done', reason: 'It runs this image already.' }))
      const anew = await this.deps.sessions.beginAnew(tx, agent.id, NEW_IMAGE)
      // Asleep or stopped since it was chosen.
      if (!anew) return void (await this.write(tx, row, { ...former, state: 'done', reason: 'It does not run; it has the image from its next start on.' }))
      await this.write(tx, row, { ...former, state: 'updating', reason: null })
      return anew
    })
    await this.told(rollout, session)
  }

  /** Agents of a rollout that restart, and whose restart is over in one way or another. */
  async settled({ id }: RolloutRow): Promise<RolloutAgentRow[]> {
    const starting = sql`exists (select 1 from sessions s join agents a on a.id = s.agent_id where s.agent_id = ${rolloutAgents.agentId} and s.status = 'creating' and a.deleted_at is null)`
    return this.deps.db
      .select()
      .from(rolloutAgents)
      .where(and(eq(rolloutAgents.rolloutId, id), eq(rolloutAgents.state, 'updating'), sql`not ${starting}`))
  }

  /** Looks what has become of an agent that restarts, and writes down how it ended. */
  async look(rollout: RolloutRow, seen: RolloutAgentRow): Promise<void> {
    const inherited = await this.inherited(seen.userId)
    const session = await this.deps.db.transaction(async (tx) => {
      const row = await this.locked(tx, seen.id, 'updating')
      if (!row) return undefined
      const agent = await lockedAgent(tx, row)
      if (!agent) return void (await this.write(tx, row, { state: 'skipped', reason: 'The agent was deleted.' }))
      const [now] = await tx
        .select()
        .from(sessions)
        .where(and(eq(sessions.agentId, agent.id), sql`${sessions.status} <> 'deleted'`))
        .limit(1)
      switch (now?.status) {
        case 'creating':
          return undefined
        case 'running':
        case 'idle':
          if (!row.goingBack && agent.image !== rollout.image) return void (await this.write(tx, row, { state: 'skipped', reason: 'Somebody gave it another image meanwhile.' }))
          // It came up, but by an earlier start that ended at the same moment.
          if (agent.startedImage !== (agent.image ?? inherited)) return this.deps.sessions.beginAnew(tx, agent.id, row.goingBack ? OLD_IMAGE : NEW_IMAGE)
          return void (await this.write(tx, row, ended(row)))
        case 'failed':
          // A start that fails by itself goes back within `recover`; this one was given up as it fell over again and again.
          if (!row.goingBack) return this.goBack(tx, row, { inherited, why: now.reason ?? 'It failed.', from: ['failed'] })
          return void (await this.write(tx, row, {
            state: 'failed',
            reason: `${row.reason ?? ''} Its old image did not come up either: ${now.reason ?? 'no reason is known.'}`.trim(),
          }))
        default:
          return void (await this.write(
            tx,
            row,
            row.goingBack ? { state: 'failed' } : { state: 'done', reason: 'It was stopped meanwhile; it has the image from its next start on.' },
          ))
      }
    })
    await this.told(rollout, session)
  }

  /**
   * A start failed. If it was the one with a new image, the agent gets its old image back and its session begins anew, so
   * that its terminals only wait. False when no rollout is to blame.
   */
  async recover(agent: Agent, session: SessionRow, reason: string): Promise<boolean> {
    const { db } = this.deps
    const [seen] = await db
      .select({ row: rolloutAgents, rollout: rollouts })
      .from(rolloutAgents)
      .innerJoin(rollouts, eq(rollouts.id, rolloutAgents.rolloutId))
      .where(and(eq(rolloutAgents.agentId, agent.id), eq(rolloutAgents.state, 'updating'), eq(rolloutAgents.goingBack, false)))
      .limit(1)
    if (!seen) return false
    const inherited = await this.inherited(agent.createdBy)
    const back = await db.transaction(async (tx) => {
      const row = await this.locked(tx, seen.row.id, 'updating')
      const present = row && !row.goingBack && (await lockedAgent(tx, row))
      if (!row || !present) return undefined
      const [same] = await tx
        .select({ id: sessions.id })
        .from(sessions)
        .where(and(eq(sessions.id, session.id), eq(sessions.status, 'creating'), eq(sessions.startedAt, session.startedAt)))
        .for('update')
      return same && this.goBack(tx, row, { inherited, why: reason, from: ['creating'] })
    })
    await this.told(seen.rollout, back)
    return back !== undefined
  }

  /** A step that could not be done now: tried again later, and given up after a while. */
  async postpone(row: RolloutAgentRow, delayMs: number, error: string | undefined): Promise<void> {
    const attempts = row.attempts + 1
    await this.deps.db
      .update(rolloutAgents)
      .set(error === undefined ? { attempts, retryAt: new Date(Date.now() + delayMs) } : { attempts, state: 'failed', reason: error, updatedAt: new Date() })
      .where(and(eq(rolloutAgents.id, row.id), eq(rolloutAgents.state, 'queued')))
  }

  private async goBack(tx: Transaction, row: RolloutAgentRow, { inherited, why, from }: GoingBack): Promise<SessionRow | undefined> {
    // The settings may name another image by now than the agent came from: then that one is its own from now on.
    const isOther = row.formerImage === null && !!row.formerStarted && row.formerStarted !== inherited
    await tx
      .update(agents)
      .set({ image: isOther ? row.formerStarted : row.formerImage })
      .where(eq(agents.id, row.agentId ?? 0))
    await this.write(tx, row, { goingBack: true, reason: `The new image did not come up: ${why}` })
    return this.deps.sessions.beginAnew(tx, row.agentId ?? 0, OLD_IMAGE, from)
  }

  private async inherited(userId: number): Promise<string> {
    return (await this.deps.settings.limits(userId)).image
  }

  private async locked(tx: Transaction, id: number, state: RolloutAgentRow['state']): Promise<RolloutAgentRow | undefined> {
    const [row] = await tx
      .select()
      .from(rolloutAgents)
      .where(and(eq(rolloutAgents.id, id), eq(rolloutAgents.state, state)))
      .for('update')
    return row
  }

  private async write(tx: Transaction, row: RolloutAgentRow, change: Partial<RolloutAgentRow>): Promise<void> {
    await tx
      .update(rolloutAgents)
      .set({ ...change, updatedAt: new Date() })
      .where(eq(rolloutAgents.id, row.id))
  }

  private async told(rollout: RolloutRow, session: SessionRow | undefined): Promise<void> {
    if (session) await this.deps.sessions.announced(session)
    await this.deps.rollouts.announced(rollout)
  }
}

/** The CLI works, or waits for an answer: a restart would take either away. */
const BUSY = `coalesce(sessions.activity in ('working', 'needs-you'), false)`

function ended(row: RolloutAgentRow): Partial<RolloutAgentRow> {
  return row.goingBack ? { state: 'failed', reason: `${row.reason ?? ''} It runs its old image again.`.trim() } : { state: 'done', reason: null }
}

async function lockedAgent(tx: Transaction, { agentId }: RolloutAgentRow): Promise<Agent | undefined> {
  if (agentId === null) return undefined
  const [agent] = await tx
    .select()
    .from(agents)
    .where(and(eq(agents.id, agentId), isNull(agents.deletedAt)))
    .for('update')
  return agent
}
