// Keeps one open page true: hints lead to reads, reads to the same views that drew the page, and only what differs is sent.
import { AgentListView } from '../../views/agents/list.tsx'
import { StageBar, StageNotes, StageView, stageMark } from '../../views/agents/workbench.tsx'
import type { AgentCard, AgentList, OutputLevel, Stage } from '../../views/model.ts'
import { OutputList } from '../../views/workspace/output.tsx'
import { OutputTrouble } from '../../views/workspace/side-panel.tsx'
import type { Bus } from '../bus/bus.ts'
import { partial, Shown } from '../http/shown.ts'
import { type EventSink, encodeEvent } from '../http/sse.ts'
import { AppError } from '../lib/errors.ts'
import { latest } from '../lib/latest.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { UserRow } from '../users/schema.ts'
import { levelOf, SHOWN } from '../workspace/levels.ts'
import type { OutputFeed } from '../workspace/output-feed.ts'
import type { Outputs } from '../workspace/outputs.ts'
import type { Listing } from '../workspace/routes.ts'
import type { Agents } from './agents.ts'
import type { Lists } from './lists.ts'
import { stageOf } from './stage.ts'

const LIST_EVERY_MS = 5000
const BATCH_MS = 250
// A level that takes long to draw is drawn less often: an open page costs at most a tenth of the time, and waits two seconds at most.
const PAUSE_PER_COST = 9
const MAX_BATCH_MS = 2000

/** What a live page reads. */
export interface LivePageDeps {
  agents: Agents
  sessions: Sessions
  lists: Lists
  listing: Listing
  feed: OutputFeed
  outputs: Outputs
  bus: Bus
}

/** What a workbench shows of its agent. */
export interface Workbench {
  card: AgentCard
  stage: Stage
  output: OutputLevel
  trouble?: string
}

/** Marks of a workbench as it is drawn; with `list` those of the agents beside it too. Goes into the address of its stream. */
export async function marksOf({ card, stage, output, trouble }: Workbench, list?: AgentList): Promise<string> {
  const shown = Shown.of({
    ...(await drawnBar(card, stage)),
    ...(await drawnOutput(output)),
    'output-trouble': await OutputTrouble({ trouble }),
  })
  shown.becomes('stage', stageMark(stage))
  if (list) shown.becomes('agents', listMark(list))
  return shown.toString()
}

/** One open page and its stream. */
export class LivePage {
  private readonly offs: (() => void)[] = []
  private pendingOutput = new Set<string>()
  private timer?: ReturnType<typeof setTimeout>
  private lastOutputAt = Number.NEGATIVE_INFINITY
  private outputPauseMs = BATCH_MS
  private hasSentOutput = false

  constructor(
    private readonly deps: LivePageDeps,
    private readonly user: UserRow,
    private readonly agentId: number | undefined,
    private readonly shown: Shown,
    private readonly sink: EventSink,
  ) {}

  /** Begins; returns the way to stop. */
  start(): () => void {
    const { bus, feed } = this.deps
    this.offs.push(
      bus.subscribe((event) => {
        if ((event.kind === 'session.changed' || event.kind === 'agent.changed') && event.userId === this.user.id) this.refresh()
      }),
    )
    if (this.agentId !== undefined)
      this.offs.push(feed.follow(this.agentId, undefined, { changes: (rows) => this.outputChanged(rows.map((row) => row.path)), resync: () => this.outputChanged([]) }))
    const clock = setInterval(this.refresh, LIST_EVERY_MS)
    this.offs.push(
      () => clearInterval(clock),
      () => clearTimeout(this.timer),
    )
    // What changed between the drawing of the page and now, or while the line was broken.
    this.refresh()
    this.outputChanged([])
    return () => {
      for (const off of this.offs) off()
    }
  }

  private readonly refresh = latest(async () => {
    const { lists, sessions, agents, outputs } = this.deps
    try {
      const list = await lists.of(this.user, this.agentId)
      // Five hundred rows are drawn when one of them differs, and not to find that out.
      const parts = this.shown.becomes('agents', listMark(list)) ? await drawnList(list) : []
      const card = list.cards.find((item) => item.id === this.agentId)
      if (card && this.agentId !== undefined) {
        const agent = await agents.owned(this.user, this.agentId)
        parts.push(...(await this.stageParts(card, stageOf(agent, await sessions.ofAgent(agent.id), list.image))))
        parts.push(...this.differing({ 'output-trouble': await OutputTrouble({ trouble: outputs.trouble(agent)?.message }) }))
      }
      this.send(parts)
    } catch (error) {
      // @NOTE a page that cannot be read now is read again with the next hint or in five seconds.
      if (error instanceof AppError && error.kind === 'not_found') this.sink.close()
    }
  })

  // A running terminal is never swapped away: only what is around it changes while it stays the same terminal.
  private async stageParts(card: AgentCard, stage: Stage): Promise<string[]> {
    const isTerminal = stage.kind === 'terminal'
    const isOther = this.shown.becomes('stage', stageMark(stage))
    const bar = this.differing(await drawnBar(card, stage))
    if (isTerminal && !isOther) return bar
    const html = await StageView({ card, stage, screenReader: this.user.screenReader })
    const isNew = this.shown.differs('stage-body', html)
    return isOther || isNew ? [partial('stage', isTerminal ? 'innerHTML' : 'innerMorph', html)] : []
  }

  // The first change goes out at once, a storm at most four times a second.
  private outputChanged(paths: string[]): void {
    for (const path of paths) this.pendingOutput.add(path)
    const wait = Math.max(0, this.lastOutputAt + this.outputPauseMs - performance.now())
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.lastOutputAt = performance.now()
      const arrived = this.pendingOutput
      this.pendingOutput = new Set()
      void this.sendOutput(arrived)
    }, wait)
  }

  private async sendOutput(arrived: Set<string>): Promise<void> {
    const { agents, listing } = this.deps
    if (this.agentId === undefined) return
    const began = performance.now()
    try {
      const agent = await agents.owned(this.user, this.agentId)
      const drawn = await drawnOutput(levelOf(agent.id, await listing(agent, '', { limit: SHOWN }), arrived))
      const differing = this.differing(drawn)
      // A page also reads its output by itself: after a change it gets what is true, whatever it got last.
      this.send(this.hasSentOutput || arrived.size > 0 ? [partial('output', 'innerMorph', drawn.output)] : differing)
      this.hasSentOutput = true
    } catch {
      // @NOTE the next change or the next load of the page shows it.
    }
    this.outputPauseMs = Math.min(MAX_BATCH_MS, Math.max(BATCH_MS, PAUSE_PER_COST * (performance.now() - began)))
  }

  private differing(parts: Record<string, string>): string[] {
    return Object.entries(parts).flatMap(([part, html]) => (this.shown.differs(part, html) ? [partial(part, 'innerMorph', html)] : []))
  }

  // The id says what the page shows now: a page that comes back with it hears only of what is different then.
  private send(parts: string[]): void {
    if (parts.length > 0) this.sink.send(encodeEvent({ id: this.shown.toString(), data: parts.join('') }))
  }
}

function listMark(list: AgentList): string {
  return Bun.hash(JSON.stringify(list)).toString(36)
}

// It is there twice: beside the page, and in the menu of phones.
async function drawnList(list: AgentList): Promise<string[]> {
  const places = ['side', 'menu'] as const
  return Promise.all(places.map(async (place) => partial(`agents-${place}`, 'outerMorph', await AgentListView({ list, place }))))
}

async function drawnBar(card: AgentCard, stage: Stage) {
  return { 'stage-bar': await StageBar({ card, stage }), 'stage-notes': await StageNotes({ card, stage }) }
}

async function drawnOutput(level: OutputLevel) {
  return { output: await OutputList({ level }) }
}
