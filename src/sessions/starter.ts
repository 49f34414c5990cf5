// Starts sandboxes: one start per agent, its progress written to the session's row, ended by time or by wish.
import type { Agent, Agents } from '../agents/agents.ts'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { raced } from '../lib/raced.ts'
import type { Tasks } from '../lib/tasks.ts'
import { type Runtime, SandboxLost, type SandboxSpec, type SandboxState, Superseded } from '../runtime/runtime.ts'
import type { Limits, Settings } from '../settings/settings.ts'
import { failureReason } from './reconcile.ts'
import type { SessionRow } from './schema.ts'
import type { Sessions } from './sessions.ts'
import { StartRecord } from './start-record.ts'
import type { Starts } from './starts.ts'

/** How long the end of a start that nobody wants any more is waited for. */
const CANCEL_WAIT_MS = 10_000

/** How long a start may take. */
export interface StartLimits {
  /** From the wish to the first answer of the terminal. */
  readyMs: number
  /** From the start of the sandbox to the first answer of its terminal. */
  answerMs: number
}

/** Those of a portal. */
export const START_LIMITS: StartLimits = { readyMs: 300_000, answerMs: 60_000 }

interface Deps {
  agents: Agents
  sessions: Sessions
  starts: Starts
  settings: Settings
  runtime: Runtime
  /** Resolves when the agent's terminal has written something. */
  terminalAnswers: (agent: Agent, timeoutMs: number) => Promise<void>
  tasks: Tasks
  logger: Logger
  /** Base URL of the internal API as sandboxes reach it. */
  internalUrl: () => string
  limits: StartLimits
  /** Undoes what made a start fail, where somebody can, and lets the session begin anew: it never counts as failed then. */
  recovers: (agent: Agent, session: SessionRow, reason: string) => Promise<boolean>
}

interface Attempt {
  session: SessionRow
  record: StartRecord
  signal: AbortSignal
}

interface RunningStart {
  startedAt: number
  abort: AbortController
  /** Resolves when nothing of it is under way any more. */
  work: Promise<unknown>
}

/** Runs starts in the background. */
export class SandboxStarter {
  private readonly running = new Map<number, RunningStart>()

  constructor(private readonly deps: Deps) {}

  /** Begins the start that this session's row asks for; a start that runs already for the same row goes on. */
  begin(agent: Agent, session: SessionRow, state: SandboxState): void {
    const present = this.running.get(agent.id)
    if (present?.startedAt === session.startedAt.getTime()) return
    present?.abort.abort()
    const start: RunningStart = { startedAt: session.startedAt.getTime(), abort: new AbortController(), work: Promise.resolve() }
    this.running.set(agent.id, start)
    this.deps.tasks.start(`start agent ${agent.id}`, (signal) =>
      this.start(agent, session, state, AbortSignal.any([signal, start.abort.signal]), start).finally(() => {
        if (this.running.get(agent.id) === start) this.running.delete(agent.id)
      }),
    )
  }

  /** Ends a start that nobody wants any more; resolves when it does nothing any more, or after ten seconds. */
  async cancel(agentId: number): Promise<void> {
    const present = this.running.get(agentId)
    if (!present) return
    present.abort.abort()
    this.running.delete(agentId)
    await raced(present.work, AbortSignal.timeout(CANCEL_WAIT_MS)).catch(() => {})
  }

  /** Ends all starts of this process: another replica goes on with them. Their rows stay as they are. */
  yieldAll(): void {
    for (const { abort } of this.running.values()) abort.abort()
    this.running.clear()
  }

  private async start(agent: Agent, session: SessionRow, state: SandboxState, signal: AbortSignal, running: RunningStart): Promise<void> {
    const { sessions, runtime, logger } = this.deps
    const limit = AbortSignal.timeout(this.deps.limits.readyMs)
    const record = new StartRecord(this.deps, agent, session)
    try {
      record.note({ step: 'scheduling' })
      const either = AbortSignal.any([signal, limit])
      running.work = this.carryOut(agent, state, { session, record, signal: either })
      await raced(running.work, either)
      const { warning } = await runtime.state({ userId: agent.createdBy, agentId: agent.id })
      await record.finish()
      const told = warning ?? (runtime.follow && session.reason ? `${session.reason} It came back by itself and goes on where it was.` : null)
      if (!(await sessions.ready(record.mark, { warning: told, steps: record.steps }))) return
      await record.ready()
      logger.info('sandbox is ready', { agentId: agent.id, ms: Date.now() - session.startedAt.getTime() })
    } catch (error) {
      await record.finish()
      // Shut down, given up or overtaken: the row still says what is wanted, and the next look goes on from there.
      if (signal.aborted || error instanceof Superseded) return
      await this.failed(agent, session, record, limit.aborted ? await this.whyLate(agent) : failureReason(error), error)
    }
  }

  // Only for a row that still is this start's, and with a sandbox that is.
  private async failed(agent: Agent, session: SessionRow, record: StartRecord, reason: string, error: unknown): Promise<void> {
    const { sessions, runtime, logger } = this.deps
    logger.warn('sandbox did not start', { agentId: agent.id, error })
    const { mark, steps } = record
    if (!(await sessions.change(mark, ['creating'], { steps }))) return
    await record.failed(reason, error)
    if (await this.deps.recovers(agent, session, reason)) return
    if (!(await sessions.change(mark, ['creating'], { status: 'failed', reason }))) return
    await runtime
      .stop({ userId: agent.createdBy, agentId: agent.id, generation: mark.generation })
      .catch((cause: unknown) => logger.warn('a failed sandbox could not be ended', { agentId: agent.id, error: cause }))
  }

  private async carryOut(agent: Agent, state: SandboxState, attempt: Attempt): Promise<void> {
    try {
      if (this.mends(agent, attempt.session, state)) await this.mend(agent, attempt)
      else await this.startAnew(agent, state, attempt)
    } catch (error) {
      const row = await this.deps.agents.present(agent.id)
      if (!row) throw error
      // Generations are given out by the row: a sandbox above it is one of a time that a restored database does not know.
      const isForgotten = error instanceof Superseded && row.generation < error.generation
      if (!isForgotten && !(error instanceof SandboxLost)) throw error
      this.deps.logger.warn(isForgotten ? 'the cluster knows a newer start than the database, which must have been restored' : 'the node of a start was lost', {
        agentId: agent.id,
      })
      const now = await this.deps.runtime.state({ userId: agent.createdBy, agentId: agent.id })
      await this.carryOut(row, isForgotten ? { ...now, generation: Math.max(now.generation, error.generation) } : now, attempt)
    }
  }

  // A row that is being created and has a reason is no wish: something fell over. Where it gets up by itself nothing is begun
  // anew, except that what was lost with its node may run on there with its token.
  private mends({ generation }: Agent, { reason }: SessionRow, state: SandboxState): boolean {
    const getsUp = state.generation === generation && !state.isLost && (state.phase === 'starting' || state.phase === 'ready')
    return this.deps.runtime.follow !== undefined && reason !== null && getsUp
  }

  private async mend(agent: Agent, { record, signal }: Attempt): Promise<void> {
    await this.deps.runtime.follow?.({ userId: agent.createdBy, agentId: agent.id, generation: agent.generation }, (news) => record.note(news), signal)
    await this.answered(agent, record)
  }

  private async startAnew(agent: Agent, state: SandboxState, attempt: Attempt): Promise<void> {
    const { record, signal } = attempt
    if (state.phase !== 'absent') await this.deps.runtime.stop(state)
    signal.throwIfAborted()
    const limits = await this.deps.settings.limits(agent.createdBy)
    const begun = await this.deps.agents.nextGeneration(agent, limits.image, { above: state.generation, start: record.mark })
    record.begins(begun.agent.generation, begun.sandboxToken)
    await this.bringUp(begun, limits, attempt)
  }

  private async whyLate(agent: Agent): Promise<string> {
    const state = await this.deps.runtime.state({ userId: agent.createdBy, agentId: agent.id }).catch(() => undefined)
    const known = state?.evidence ? state.reason : undefined
    return `The agent was not ready after five minutes. ${known ?? 'Try again; if it stays so, ask an admin to look at the log.'}`
  }

  private async bringUp({ agent, sandboxToken }: { agent: Agent; sandboxToken: string }, limits: Limits, { session, record, signal }: Attempt): Promise<void> {
    const { agents, runtime } = this.deps
    const spec: SandboxSpec = {
      userId: agent.createdBy,
      agentId: agent.id,
      generation: agent.generation,
      birth: agent.birth,
      environment: agents.environment(agent),
      claudeMd: await agents.instructions(agent),
      resources: { cpuLimit: agent.cpuLimit ?? limits.cpuLimit, memoryLimitBytes: (agent.memoryLimitMb ?? limits.memoryLimitMb) * 1024 ** 2, pidsLimit: limits.pidsLimit },
      choices: { ...limits.choices, image: agent.startedImage ?? '' },
      sandboxToken,
      internalUrl: this.deps.internalUrl(),
      theme: session.theme,
    }
    await runtime.start(spec, (news) => record.note(news), signal)
    await this.answered(agent, record)
  }

  private async answered(agent: Agent, record: StartRecord): Promise<void> {
    record.note({ step: 'terminal' })
    // Ready means that the terminal answered, not that a process runs.
    await this.deps.terminalAnswers(agent, this.deps.limits.answerMs).catch((cause: unknown) => {
      throw new AppError('unavailable', 'terminal_silent', 'The terminal did not answer within a minute. Try again, or ask an admin to look at the log.', { cause })
    })
  }
}
