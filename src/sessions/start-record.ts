// The record of a start while it goes on: its steps in the session's row, and what admins are told later.
import type { Agent } from '../agents/agents.ts'
import { AppError } from '../lib/errors.ts'
import { wordsOf } from '../lib/evidence.ts'
import type { Logger } from '../lib/logger.ts'
import type { StartProgress } from '../runtime/runtime.ts'
import type { SessionRow } from './schema.ts'
import type { Sessions, StartMark } from './sessions.ts'
import type { StartNews, Starts } from './starts.ts'
import { closed, withProgress } from './steps.ts'

const WRITE_EVERY_MS = 250

/** Writes steps at most four times a second, and the last state always. */
export class StartRecord {
  steps: SessionRow['steps'] = []
  /** What the row must still be at for this start to change it. */
  readonly mark: StartMark & { generation: number }
  private writing: Promise<unknown>
  private timer: ReturnType<typeof setTimeout> | undefined
  private waits: { reason?: string; evidence?: string } = {}
  private secrets: string[] = []

  constructor(
    private readonly deps: { sessions: Sessions; starts: Starts; logger: Logger },
    private readonly agent: Agent,
    private readonly session: SessionRow,
  ) {
    // Until it has a generation of its own it is refused as soon as anybody else begins one.
    this.mark = { id: session.id, startedAt: session.startedAt, generation: agent.generation }
    this.writing = this.kept(deps.starts.begin(session, session.reason))
  }

  /** The generation that this start makes, and the token that goes with it. */
  begins(generation: number, sandboxToken: string): void {
    this.mark.generation = generation
    this.secrets = [sandboxToken]
    this.tell({ generation })
  }

  note(news: StartProgress): void {
    this.steps = withProgress(this.steps, news, this.elapsed())
    const { evidence, detail: reason } = news
    if (evidence !== undefined && evidence !== this.waits.evidence) {
      this.waits = { evidence, reason }
      this.tell(this.waits)
    }
    this.timer ??= setTimeout(() => this.write(), this.steps.length === 1 ? 0 : WRITE_EVERY_MS)
  }

  async finish(): Promise<void> {
    clearTimeout(this.timer)
    this.steps = closed(this.steps, this.elapsed())
    await this.writing.catch(() => {})
  }

  async ready(): Promise<void> {
    this.tell({ outcome: 'ready', readyAt: new Date(), steps: this.steps })
    await this.writing
  }

  async failed(reason: string, error: unknown): Promise<void> {
    this.tell({ outcome: 'failed', endedAt: new Date(), reason, steps: this.steps, evidence: this.evidenceOf(error) })
    await this.writing
  }

  // What we say ourselves is no evidence: it is what lies below it, or what the start has waited for.
  private evidenceOf(error: unknown): string | undefined {
    const below = error instanceof AppError ? error.cause : error
    const isDeadline = below instanceof Error && below.name === 'TimeoutError'
    return below === undefined || isDeadline ? this.waits.evidence : wordsOf(below)
  }

  private write(): void {
    this.timer = undefined
    // @NOTE a lost progress line is no loss: the next one tells the whole.
    this.queue(() => this.deps.sessions.change(this.mark, ['creating'], { steps: this.steps }).catch(() => {}))
  }

  private tell(news: StartNews): void {
    this.queue(() => this.kept(this.deps.starts.note(this.agent, this.session, news, this.secrets)))
  }

  // One after the other: what was noted first never wins over what came later.
  private queue(work: () => Promise<unknown>): void {
    this.writing = this.writing.then(work)
  }

  // @NOTE what admins are told later is no reason to fail a start now.
  private kept(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.deps.logger.warn('a start was not noted', { agentId: this.agent.id, error }))
  }

  private elapsed(): number {
    return Date.now() - this.session.startedAt.getTime()
  }
}
