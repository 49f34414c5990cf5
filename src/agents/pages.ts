// Pages of agents: the workbench, the form, the buttons, and the stream that keeps the page true.
import { Elysia, t } from 'elysia'
import { AgentFormPage } from '../../views/agents/form.tsx'
import { AgentListView } from '../../views/agents/list.tsx'
import { FirstRunPage, StageBar, StageNotes, StageView, stageMark, WorkbenchPage } from '../../views/agents/workbench.tsx'
import { OutputList } from '../../views/workspace/output.tsx'
import { OutputTrouble } from '../../views/workspace/side-panel.tsx'
import type { Bus } from '../bus/bus.ts'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { STATUS } from '../http/errors.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { page, redirect } from '../http/respond.ts'
import { type EventSink, type EventStreams, encodeEvent } from '../http/sse.ts'
import { themeOf } from '../http/theme.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
import { latest } from '../lib/latest.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Settings } from '../settings/settings.ts'
import type { Logins } from '../users/logins.ts'
import type { Repeats } from '../users/repeats.ts'
import type { UserRow } from '../users/schema.ts'
import { levelOf, SHOWN } from '../workspace/levels.ts'
import type { OutputFeed } from '../workspace/output-feed.ts'
import type { Outputs } from '../workspace/outputs.ts'
import type { Listing } from '../workspace/routes.ts'
import type { Agent, Agents } from './agents.ts'
import { type FormFields, formAgain, formOf, inputOf, requestKeyOf } from './form.ts'
import type { Lists } from './lists.ts'
import { stageOf } from './stage.ts'

interface Deps {
  agents: Agents
  repeats: Repeats
  sessions: Sessions
  settings: Settings
  lists: Lists
  listing: Listing
  feed: OutputFeed
  outputs: Outputs
  bus: Bus
  streams: EventStreams
  frames: Frames
  logins: Logins
  edge: EdgeRules
}

const FORM = t.Record(t.String(), t.Union([t.String(), t.Array(t.String())]))
const LIST_EVERY_MS = 5000
const BATCH_MS = 250
// A level that takes long to draw is drawn less often: an open page costs at most a tenth of the time, and waits two seconds at most.
const PAUSE_PER_COST = 9
const MAX_BATCH_MS = 2000

/** Workbench, form and actions. */
export function agentPages(deps: Deps) {
  return new Elysia({ name: 'agent-pages' }).use(signedIn(deps)).use(showPages(deps)).use(formPages(deps)).use(actionPages(deps)).use(streamPage(deps))
}

function showPages({ agents, sessions, settings, lists, listing, outputs, frames, logins, edge }: Deps) {
  return new Elysia({ name: 'agent-show' })
    .use(signedIn({ logins, edge }))
    .get('/', async ({ user }) => {
      const list = await lists.of(user)
      const [first] = list.cards
      if (first) return redirect(`/agents/${first.id}`)
      const form = formOf(undefined, await settings.limits(user.id))
      return page((nonce) => FirstRunPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), list, form }))
    })
    .get('/agents/:id', async ({ user, params }) => {
      const agent = await agents.owned(user, parseId(params.id))
      const [list, session, level] = await Promise.all([lists.of(user, agent.id), sessions.ofAgent(agent.id), listing(agent, '', { limit: SHOWN })])
      const card = list.cards.find((item) => item.id === agent.id)
      if (!card) throw new AppError('not_found', 'not_found', 'This agent is not here.')
      const output = { output: levelOf(agent.id, level), trouble: outputs.trouble(agent)?.message }
      return page((nonce) => WorkbenchPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), list, card, stage: stageOf(agent, session), ...output }))
    })
}

function formPages({ agents, repeats, sessions, settings, lists, frames, logins, edge }: Deps) {
  const show = async (user: UserRow, agent: Agent | undefined, again?: { fields: FormFields; error: AppError }) => {
    const [list, limits] = await Promise.all([lists.of(user, agent?.id), settings.limits(user.id)])
    const blank = formOf(agent, limits)
    const form = again ? formAgain(blank, again.fields, again.error.fields ?? {}, again.error.message) : blank
    return page((nonce) => AgentFormPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), list, form }), again ? STATUS[again.error.kind] : 200)
  }
  return new Elysia({ name: 'agent-form' })
    .use(signedIn({ logins, edge }))
    .get('/agents/new', ({ user }) => show(user, undefined))
    .get('/agents/:id/edit', async ({ user, params }) => show(user, await agents.owned(user, parseId(params.id))))
    .post(
      '/agents',
      async ({ user, body, request }) => {
        try {
          const sending = { user, key: requestKeyOf(body), operation: 'POST /agents', body: {}, wait: true }
          const { id } = await repeats.once(
            sending,
            (within) => agents.create(user, inputOf(body), within),
            (agent) => ({ id: agent.id }),
          )
          await sessions.open(await agents.owned(user, id), { theme: themeOf(user, request) })
          return redirect(`/agents/${id}`)
        } catch (error) {
          if (error instanceof AppError && error.kind !== 'unavailable') return show(user, undefined, { fields: body, error })
          throw error
        }
      },
      { body: FORM },
    )
    .post(
      '/agents/:id',
      async ({ user, params, body }) => {
        const agent = await agents.owned(user, parseId(params.id))
        try {
          await agents.update(agent, inputOf(body), Number(body.version) || undefined)
          return redirect(`/agents/${agent.id}`)
        } catch (error) {
          if (error instanceof AppError && error.kind !== 'unavailable') return show(user, agent, { fields: body, error })
          throw error
        }
      },
      { body: FORM },
    )
}

function actionPages({ agents, sessions, logins, edge }: Deps) {
  return new Elysia({ name: 'agent-actions' })
    .use(signedIn({ logins, edge }))
    .post('/agents/:id/start', async ({ user, params, request }) => {
      const agent = await agents.owned(user, parseId(params.id))
      await sessions.open(agent, { theme: themeOf(user, request) })
      return redirect(`/agents/${agent.id}`)
    })
    .post('/agents/:id/stop', async ({ user, params }) => {
      const agent = await agents.owned(user, parseId(params.id))
      await sessions.stop(agent, 'Stopped by you.')
      return redirect(`/agents/${agent.id}`)
    })
    .post('/agents/:id/restart', async ({ user, params, request }) => {
      const agent = await agents.owned(user, parseId(params.id))
      await sessions.restart(agent, themeOf(user, request))
      return redirect(`/agents/${agent.id}`)
    })
    .post('/agents/:id/delete', async ({ user, params }) => {
      await agents.delete(await agents.owned(user, parseId(params.id)))
      return redirect('/')
    })
}

function streamPage(deps: Deps) {
  const { agents, streams, logins, edge } = deps
  return new Elysia({ name: 'agent-stream' }).use(signedIn({ logins, edge })).get(
    '/events',
    async ({ user, loginId, query, request, server }) => {
      const agent = query.agent ? await agents.owned(user, parseId(query.agent)) : undefined
      server?.timeout(request, 0)
      return streams.answer(loginId, (sink) => new LivePage(deps, user, agent?.id, query.shown ?? '', sink).start())
    },
    { query: t.Object({ agent: t.Optional(t.String({ pattern: '^[0-9]{1,15}$' })), shown: t.Optional(t.String({ pattern: '^[\\w-]{1,40}$' })) }) },
  )
}

/** Keeps one open page true: hints lead to reads, reads to the same views that drew the page. */
class LivePage {
  private readonly offs: (() => void)[] = []
  private pendingOutput = new Set<string>()
  private timer?: ReturnType<typeof setTimeout>
  private lastOutputAt = Number.NEGATIVE_INFINITY
  private outputPauseMs = BATCH_MS

  constructor(
    private readonly deps: Deps,
    private readonly user: UserRow,
    private readonly agentId: number | undefined,
    /** Mark of the stage that the page shows; see `stageMark`. */
    private shown: string,
    private readonly sink: EventSink,
  ) {}

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
      const parts = [partial('#agents-side', 'outerMorph', AgentListView({ list, place: 'side' })), partial('#agents-menu', 'outerMorph', AgentListView({ list, place: 'menu' }))]
      const card = list.cards.find((item) => item.id === this.agentId)
      if (card && this.agentId !== undefined) {
        const agent = await agents.owned(this.user, this.agentId)
        const stage = stageOf(agent, await sessions.ofAgent(agent.id))
        const mark = stageMark(stage)
        // A running terminal is never swapped away: only what is around it changes while it stays the same terminal.
        if (stage.kind === 'terminal' && mark === this.shown)
          parts.push(partial('#stage-bar', 'innerMorph', StageBar({ card, stage })), partial('#stage-notes', 'innerMorph', StageNotes({ card, stage })))
        else parts.push(partial('#stage', stage.kind === 'terminal' ? 'innerHTML' : 'innerMorph', StageView({ card, stage, screenReader: this.user.screenReader })))
        this.shown = mark
        parts.push(partial('#output-trouble', 'innerMorph', OutputTrouble({ trouble: outputs.trouble(agent)?.message })))
      }
      this.send(await Promise.all(parts))
    } catch (error) {
      // @NOTE a page that cannot be read now is read again with the next hint or in five seconds.
      if (error instanceof AppError && error.kind === 'not_found') this.sink.close()
    }
  })

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
      const level = levelOf(agent.id, await listing(agent, '', { limit: SHOWN }), arrived)
      this.send([await partial('#output', 'innerMorph', OutputList({ level }))])
    } catch {
      // @NOTE the next change or the next load of the page shows it.
    }
    this.outputPauseMs = Math.min(MAX_BATCH_MS, Math.max(BATCH_MS, PAUSE_PER_COST * (performance.now() - began)))
  }

  private send(parts: string[]): void {
    this.sink.send(encodeEvent({ data: parts.join('') }))
  }
}

async function partial(target: string, swap: string, html: string | Promise<string>): Promise<string> {
  return `<hx-partial hx-target="${target}" hx-swap="${swap}">${await html}</hx-partial>`
}
