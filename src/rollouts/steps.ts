// The steps of single agents in a rollout. Each is one transaction that first looks whether it is still due: a killed
// server leaves a step undone or done, never half done, and doing one twice is harmless.
import { and, desc, eq, gt, inArray, isNotNull, isNull, ne, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import { agents } from '../agents/schema.ts'
import type { Db, Transaction } from '../db/client.ts'
import { LIVE, type SessionRow, type SessionStatus, sandboxStarts, sessions } from '../sessions/schema.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Settings } from '../settings/settings.ts'
import type { Rollouts } from './rollouts.ts'
import { type RolloutAgentRow, type RolloutRow, rolloutAgents, rollouts } from './schema.ts'

// For the agent's owner.
const NEW_IMAGE = 'An admin gave this agent another image. It was restarted with it; its conversation goes on.'
const OLD_IMAGE = 'An admin gave this agent another image, which did not come up. It was restarted with the one that it had; its conversation goes on.'
const CHOSEN_IMAGE = 'An admin gave this agent another image, which did not come up. It was restarted with the one that was chosen meanwhile; its conversation goes on.'

// For admins.
const CHOSEN_MEANWHILE = 'Somebody gave it another image meanwhile.'

interface Deps {
  db: Db
  rollouts: Pick<Rollouts, 'announced'>
  sessions: Pick<Sessions, 'beginAnew' | 'announced'>
  settings: Pick<Settings, 'limits'>
}

/** A start with the rollout's image that did not come up. */
interface FailedStart {
  rollout: RolloutRow
  agent: Agent
  /** Image of agents without one of their own. */
  inherited: string
  why: string
  /** What the session must be to begin anew. */
  from: SessionStatus[]
}

/** Moves single agents on. */
export class RolloutSteps {
  constructor(private readonly deps: Deps) {}

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

  /** Number of the next wave, for one replica alone; undefined when another has begun one or the rollout is over. */
  async claimWave({ id, wave }: RolloutRow): Promise<number | undefined> {
    return this.deps.db.transaction(async (tx) => {
      const mine = and(eq(rollouts.id, id), eq(rollouts.wave, wave), eq(rollouts.status, 'running'))
      const [open] = await tx.select({ id: rollouts.id }).from(rollouts).where(mine).for('update')
      if (!open) return undefined
      const [busy] = await tx
        .select({ id: rolloutAgents.id })
        .from(rolloutAgents)
        .where(and(eq(rolloutAgents.rolloutId, id), eq(rolloutAgents.state, 'updating')))
        .limit(1)
      if (busy) return undefined
      await tx
        .update(rollouts)
        .set({ wave: wave + 1 })
        .where(eq(rollouts.id, id))
      return wave + 1
    })
  }

  /** Gives a running agent of this wave its new image and has its session begin anew with it. */
  async begin(rollout: RolloutRow, { id, userId }: RolloutAgentRow, wave: number): Promise<void> {
    const target = rollout.image ?? (await this.inherited(userId))
    const session = await this.deps.db.transaction(async (tx) => {
      const [open] = await tx
        .select({ id: rollouts.id })
        .from(rollouts)
        .where(and(eq(rollouts.id, rollout.id), eq(rollouts.wave, wave), eq(rollouts.status, 'running')))
        .for('share')
      const row = open && (await this.locked(tx, id, 'queued'))
      const agent = row && (await lockedAgent(tx, row))
      if (!row || !agent) return undefined
      const present = await sessionOf(tx, agent)
      // Asleep or stopped since it was chosen: it waits like the others that do not run.
      if (!present || !LIVE.includes(present.status)) return undefined
      const former = { formerImage: agent.image, formerStarted: agent.startedImage, formerGeneration: agent.generation, wave }
      await setImage(tx, agent, rollout.image)
      if (agent.startedImage === target) {
        // A start with this very image that is not over yet is waited for.
        if (present.status === 'creating') return void (await this.write(tx, row, { ...former, state: 'updating', reason: null }))
        return void (await this.write(tx, row, { ...former, state: 'done', cameUp: true, reason: 'It runs this image already.' }))
      }
      await this.write(tx, row, { ...former, state: 'updating', reason: null })
      return this.deps.sessions.beginAnew(tx, agent.id, NEW_IMAGE)
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
      const now = await sessionOf(tx, agent)
      const isOurs = agent.image === rollout.image
      switch (now?.status) {
        case 'creating':
          return undefined
        case 'running':
        case 'idle':
          if (row.goingBack) return this.lookBack(tx, row, agent, rollout.image ?? inherited)
          if (!isOurs) return void (await this.write(tx, row, { state: 'skipped', reason: CHOSEN_MEANWHILE }))
          // It came up, but by an earlier start that ended at the same moment.
          if (agent.startedImage !== (agent.image ?? inherited)) return this.deps.sessions.beginAnew(tx, agent.id, NEW_IMAGE)
          return void (await this.write(tx, row, { state: 'done', cameUp: true, reason: null }))
        case 'failed':
          // A start that fails by itself goes back within `recover`; this one was given up as it fell over again and again.
          if (!row.goingBack) return this.goBack(tx, row, { rollout, agent, inherited, why: now.reason ?? 'It failed.', from: ['failed'] })
          return void (await this.write(tx, row, {
            state: 'failed',
            reason: `${row.reason ?? ''} Its old image did not come up either: ${now.reason ?? 'no reason is known.'}`.trim(),
          }))
        default:
          return void (await this.ended(tx, row, { rollout, agent, inherited, wasReady: !!now?.readyAt }))
      }
    })
    await this.told(rollout, session)
  }

  /**
   * A start failed. If it was the one with a new image, the agent gets its old image back and its session begins anew, so
   * that its terminals only wait; so it is with the first start of an agent that did not run when it got the image. False
   * when no rollout is to blame.
   */
  async recover(agent: Agent, session: SessionRow, reason: string): Promise<boolean> {
    const { db } = this.deps
    const [seen] = await db
      .select({ row: rolloutAgents, rollout: rollouts })
      .from(rolloutAgents)
      .innerJoin(rollouts, eq(rollouts.id, rolloutAgents.rolloutId))
      .where(and(eq(rolloutAgents.agentId, agent.id), inArray(rolloutAgents.state, ['updating', 'done'])))
      .orderBy(desc(rolloutAgents.id))
      .limit(1)
    if (!seen || seen.row.goingBack || seen.row.cameUp) return false
    const { rollout } = seen
    const inherited = await this.inherited(agent.createdBy)
    const back = await db.transaction(async (tx) => {
      const row = await this.locked(tx, seen.row.id, seen.row.state)
      const present = row && !row.goingBack && (await lockedAgent(tx, row))
      if (!row || !present) return undefined
      if (row.state === 'done' && (await isUnrelated(tx, row, present, { target: rollout.image ?? inherited, before: imageBefore(row, inherited) ?? inherited }))) return undefined
      const [same] = await tx
        .select({ id: sessions.id })
        .from(sessions)
        .where(and(eq(sessions.id, session.id), eq(sessions.status, 'creating'), eq(sessions.startedAt, session.startedAt)))
        .for('update')
      return same && this.goBack(tx, row, { rollout, agent: present, inherited, why: reason, from: ['creating'] })
    })
    await this.told(rollout, back)
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

  // The agent gets what it had, unless somebody chose meanwhile; undefined when there is nothing else to begin with.
  private async goBack(tx: Transaction, row: RolloutAgentRow, { rollout, agent, inherited, why, from }: FailedStart): Promise<SessionRow | undefined> {
    const failed = agent.startedImage
    if (agent.image !== rollout.image) {
      await this.write(tx, row, { state: 'skipped', reason: CHOSEN_MEANWHILE })
      return failed === (agent.image ?? inherited) ? undefined : this.deps.sessions.beginAnew(tx, agent.id, CHOSEN_IMAGE, from)
    }
    const image = imageBefore(row, inherited)
    const reason = `The new image did not come up: ${why}`
    if (failed === (image ?? inherited)) return void (await this.write(tx, row, { state: 'failed', reason }))
    await setImage(tx, agent, image)
    await this.write(tx, row, { state: 'updating', goingBack: true, reason })
    return this.deps.sessions.beginAnew(tx, agent.id, OLD_IMAGE, from)
  }

  // An agent that goes back runs again.
  private async lookBack(tx: Transaction, row: RolloutAgentRow, { id, startedImage }: Agent, refused: string): Promise<SessionRow | undefined> {
    if (startedImage === refused) return this.deps.sessions.beginAnew(tx, id, OLD_IMAGE)
    const isOld = !row.formerStarted || row.formerStarted === startedImage
    const end = isOld ? 'It runs its old image again.' : 'It runs an image that was chosen meanwhile.'
    return void (await this.write(tx, row, { state: 'failed', reason: `${row.reason ?? ''} ${end}`.trim() }))
  }

  // Its owner stopped it, or it fell asleep, before anybody looked.
  private async ended(
    tx: Transaction,
    row: RolloutAgentRow,
    { rollout, agent, inherited, wasReady }: { rollout: RolloutRow; agent: Agent; inherited: string; wasReady: boolean },
  ): Promise<void> {
    if (row.goingBack) return this.write(tx, row, { state: 'failed', reason: `${row.reason ?? ''} It was stopped before its old image came up.`.trim() })
    if (agent.image !== rollout.image) return this.write(tx, row, { state: 'skipped', reason: CHOSEN_MEANWHILE })
    if (wasReady && agent.startedImage === (rollout.image ?? inherited))
      return this.write(tx, row, { state: 'done', cameUp: true, reason: 'It ran this image, and was stopped since.' })
    await setImage(tx, agent, imageBefore(row, inherited))
    return this.write(tx, row, { state: 'skipped', reason: 'It was stopped before it came up with the new image, so it keeps the one that it had.' })
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

/** What `agents.image` becomes when an agent goes back: what it ran goes before what it was to run. */
function imageBefore({ formerImage, formerStarted }: RolloutAgentRow, inherited: string): string | null {
  // Where the settings name another image by now than the agent came from, that one is its own from now on.
  if (formerImage === null && (!formerStarted || formerStarted === inherited)) return null
  return formerStarted || formerImage
}

// For an agent that did not run when it got the image: not its first start with it, or nothing else to go back to.
async function isUnrelated(
  tx: Transaction,
  { formerGeneration }: RolloutAgentRow,
  { id, startedImage }: Agent,
  { target, before }: { target: string; before: string },
): Promise<boolean> {
  if (startedImage !== target || before === target) return true
  const isReady = and(eq(sandboxStarts.agentId, id), isNotNull(sandboxStarts.readyAt), gt(sandboxStarts.generation, formerGeneration ?? 0))
  const [ready] = await tx.select({ id: sandboxStarts.id }).from(sandboxStarts).where(isReady).limit(1)
  return ready !== undefined
}

// Open forms of the agent are told that it is another by now.
async function setImage(tx: Transaction, { id }: Agent, image: string | null): Promise<void> {
  await tx
    .update(agents)
    .set({ image, version: sql`${agents.version} + 1` })
    .where(eq(agents.id, id))
}

async function sessionOf(tx: Transaction, { id }: Agent): Promise<SessionRow | undefined> {
  const [session] = await tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.agentId, id), ne(sessions.status, 'deleted')))
    .limit(1)
  return session
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
