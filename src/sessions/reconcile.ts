// Makes what runs match the rows: starts what should run, ends what should not, and mends what fell over.
import type { Agent, Agents } from '../agents/agents.ts'
import type { Bus } from '../bus/bus.ts'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import type { Tasks } from '../lib/tasks.ts'
import type { Runtime, SandboxState } from '../runtime/runtime.ts'
import { agentPrefix } from '../storage/keys.ts'
import type { Outputs } from '../workspace/outputs.ts'
import type { Idleness } from './idleness.ts'
import { LIVE, type SessionRow, UP } from './schema.ts'
import type { Sessions } from './sessions.ts'
import type { SandboxStarter } from './starter.ts'
import type { Starts } from './starts.ts'

const EVERY_MS = 5000
/** How often it is found out whether another replica has taken over. */
const LEADERSHIP_MS = 2000
const RESTORED = 'The sandbox is newer than what the portal’s database knows.'
/** How often it is looked whether the files of agents that are gone have outlived their time. */
const SWEEP_MS = 10 * 60_000
const HEAL_LIMIT = 3
const HEAL_WINDOW_MS = 10 * 60_000

interface Deps {
  agents: Agents
  sessions: Sessions
  starts: Starts
  outputs: Outputs
  runtime: Runtime
  starter: SandboxStarter
  idleness: Idleness
  bus: Bus
  tasks: Tasks
  logger: Logger
  /** True while this replica may act; one replica of a cluster does. */
  isLeader: () => Promise<boolean>
  /** Calls back when it may not any more. */
  onDeposed: (listener: () => void) => () => void
}

/** The loop. Level-triggered: every turn looks at rows and sandboxes as they are, so a crash at any point is mended. */
export class Reconciler {
  private readonly busy = new Map<number, Promise<void>>()
  private readonly wanted = new Set<number>()
  private readonly healed = new Map<number, number[]>()
  private readonly off: (() => void)[] = []

  constructor(private readonly deps: Deps) {}

  /** Begins to watch rows and sandboxes. */
  start(): void {
    const { bus, runtime, tasks, starter, isLeader, onDeposed } = this.deps
    this.off.push(
      bus.subscribe((event) => {
        if (event.kind === 'session.changed' || event.kind === 'agent.changed') this.look(event.agentId)
      }),
    )
    this.off.push(runtime.watch((state) => this.look(state.agentId)))
    // Whoever leads now carries on with them; what they still ask for is refused by their generation.
    this.off.push(onDeposed(() => starter.yieldAll()))
    tasks.every('leadership', LEADERSHIP_MS, isLeader)
    tasks.every('reconcile', EVERY_MS, () => this.turn())
    tasks.start('reconcile at start', () => this.turn())
    if (!runtime.sweep) return
    tasks.every('files of agents that are gone', SWEEP_MS, () => this.sweep())
    tasks.start('files of agents that are gone, at start', () => this.sweep())
  }

  /** Looks at everything once: rows, sandboxes without rows, and condemned agents. */
  async turn(): Promise<void> {
    const { sessions, runtime, agents, isLeader } = this.deps
    if (!(await isLeader())) return
    const [rows, states, condemned] = await Promise.all([sessions.all(), runtime.list(), agents.condemned()])
    const known = new Set([...rows.map((row) => row.agentId), ...condemned.map((agent) => agent.id)])
    // Where something stands for a sandbox that does not run, it must not outlive its agent.
    const found = states.filter(({ phase, agentId }) => phase !== 'absent' || (runtime.disown && !known.has(agentId)))
    for (const id of new Set([...known, ...found.map(({ agentId }) => agentId)])) this.look(id)
    await Promise.allSettled(this.busy.values())
  }

  [Symbol.dispose](): void {
    for (const off of this.off) off()
  }

  // Lets files go whose agent is gone for long enough, by the rows of this moment.
  private async sweep(): Promise<void> {
    const { agents, runtime, isLeader } = this.deps
    if (!(await isLeader())) return
    await runtime.sweep?.(async ({ userId, agentId }) => {
      const agent = await agents.present(agentId)
      return agent?.createdBy === userId ? agent : undefined
    })
  }

  // One agent is looked at by one turn at a time; news meanwhile leads to one more look.
  private look(agentId: number): void {
    if (this.deps.tasks.signal.aborted) return
    if (this.busy.has(agentId)) return void this.wanted.add(agentId)
    const work = this.reconcile(agentId)
      .catch((error: unknown) => this.deps.logger.error('reconcile failed', { agentId, error }))
      .finally(() => {
        this.busy.delete(agentId)
        if (this.wanted.delete(agentId)) this.look(agentId)
      })
    this.busy.set(agentId, work)
    this.deps.tasks.start(`reconcile agent ${agentId}`, () => work)
  }

  private async reconcile(agentId: number): Promise<void> {
    const { agents, sessions, runtime, isLeader } = this.deps
    if (!(await isLeader())) return
    const agent = await agents.present(agentId)
    if (!agent) return this.removeAgent(agentId)
    const [session, state] = await Promise.all([sessions.ofAgent(agentId), runtime.state({ userId: agent.createdBy, agentId })])
    if (!session || !LIVE.includes(session.status)) {
      await this.deps.starter.cancel(agentId)
      if (state.phase !== 'absent') await runtime.stop(state)
      return
    }
    if (session.status === 'creating') return this.deps.starter.begin(agent, session, state)
    const alive = state.phase === 'ready' && state.generation === agent.generation
    if (!alive) await this.heal(agent, session, state)
    else await this.deps.idleness.look(session, state)
  }

  // A sandbox that ended by itself comes back; one that ends again and again is left down with its reason.
  private async heal(agent: Agent, session: SessionRow, state: SandboxState): Promise<void> {
    const now = Date.now()
    const recent = (this.healed.get(agent.id) ?? []).filter((at) => now - at < HEAL_WINDOW_MS)
    this.healed.set(agent.id, [...recent, now])
    const reason = state.generation > agent.generation ? RESTORED : (state.reason ?? 'The sandbox ended by itself.')
    await this.noteEnd(agent, session, { ...state, reason })
    if (recent.length >= HEAL_LIMIT) {
      await this.deps.sessions.change(session, UP, {
        status: 'failed',
        reason: `${reason} It did so ${recent.length + 1} times in ten minutes. Look at what the agent runs, then start it again.`,
        activity: null,
      })
      return
    }
    this.deps.logger.warn('a sandbox is gone and starts again', { agentId: agent.id, reason })
    await this.deps.sessions.change(session, UP, { status: 'creating', reason, steps: [], startedAt: new Date(), readyAt: null, activity: null })
  }

  // @NOTE what admins are told later is no reason to leave a sandbox down now.
  private async noteEnd(agent: Agent, session: SessionRow, { reason, evidence }: SandboxState): Promise<void> {
    await this.deps.starts
      .note(agent, session, { outcome: 'ended', endedAt: new Date(), reason, evidence })
      .catch((error: unknown) => this.deps.logger.warn('the end of a sandbox was not noted', { agentId: agent.id, error }))
  }

  private async removeAgent(agentId: number): Promise<void> {
    const { agents, runtime, outputs, logger } = this.deps
    await this.deps.starter.cancel(agentId)
    const agent = (await agents.condemned()).find((row) => row.id === agentId)
    if (agent) {
      await runtime.remove({ userId: agent.createdBy, agentId, birth: agent.birth })
      await outputs.purge(agentId, agentPrefix(agentId))
      await agents.forget(agent)
      // What was on its way while the rows went has an object, but no row to find it by.
      await outputs.purge(agentId, agentPrefix(agentId))
      logger.info('agent removed', { agentId })
      return
    }
    // No row at all: a sandbox that lost its agent, as by a restored database, or that a start brought back while it went. Its files stay.
    const orphan = (await runtime.list()).find((state) => state.agentId === agentId)
    if (orphan && runtime.disown) await runtime.disown(orphan)
    else if (orphan && orphan.phase !== 'absent') await runtime.stop(orphan)
  }
}

/** Words for a start that failed. */
export function failureReason(error: unknown): string {
  return error instanceof AppError ? error.message : 'The sandbox could not be started. The fault has been logged; try again, and tell an admin if it stays so.'
}
