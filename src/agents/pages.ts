// Pages of agents: the workbench, the form, the buttons, and the stream that keeps the page true.
import { Elysia, t } from 'elysia'
import { AgentFormPage } from '../../views/agents/form.tsx'
import { FirstRunPage, WorkbenchPage } from '../../views/agents/workbench.tsx'
import type { Bus } from '../bus/bus.ts'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { STATUS } from '../http/errors.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { isHtmx, page, redirect } from '../http/respond.ts'
import { SHOWN_PATTERN, Shown } from '../http/shown.ts'
import type { EventStreams } from '../http/sse.ts'
import { themeOf } from '../http/theme.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
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
import { LivePage, marksOf } from './pages-live.ts'
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
    .get('/agents/:id', async ({ user, params, request }) => {
      const agent = await agents.owned(user, parseId(params.id))
      const [list, session, level] = await Promise.all([lists.of(user, agent.id), sessions.ofAgent(agent.id), listing(agent, '', { limit: SHOWN })])
      const card = list.cards.find((item) => item.id === agent.id)
      if (!card) throw new AppError('not_found', 'not_found', 'This agent is not here.')
      const shown = { card, stage: stageOf(agent, session, list.image), output: levelOf(agent.id, level), trouble: outputs.trouble(agent)?.message }
      // Within a page that is open already the list beside it stays as it is.
      const marks = await marksOf(shown, isHtmx(request) ? undefined : list)
      return page((nonce) => WorkbenchPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), list, ...shown, events: `?agent=${agent.id}&shown=${marks}` }))
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
      await sessions.restart(agent, { theme: themeOf(user, request) })
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
      return streams.answer(loginId, (sink) => new LivePage(deps, user, agent?.id, Shown.parse(request.headers.get('last-event-id') ?? query.shown ?? ''), sink).start())
    },
    { query: t.Object({ agent: t.Optional(t.String({ pattern: '^[0-9]{1,15}$' })), shown: t.Optional(t.String({ pattern: SHOWN_PATTERN })) }) },
  )
}
