// Pages of rollouts, for admins: the list, the form that begins one, and its progress while it is open.
import { Elysia, t } from 'elysia'
import { RolloutFormPage } from '../../views/rollouts/form.tsx'
import { RolloutList, RolloutsPage } from '../../views/rollouts/list.tsx'
import { RolloutPage, RolloutView } from '../../views/rollouts/progress.tsx'
import type { Bus } from '../bus/bus.ts'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { STATUS } from '../http/errors.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { type Draw, keepTrue, marksOf } from '../http/keep-true.ts'
import { page, redirect } from '../http/respond.ts'
import { SHOWN_PATTERN, Shown } from '../http/shown.ts'
import type { EventStreams } from '../http/sse.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
import type { Settings } from '../settings/settings.ts'
import type { Logins } from '../users/logins.ts'
import type { UserRow } from '../users/schema.ts'
import type { Rollouts } from './rollouts.ts'
import { agentView, chosenIds, type FormFields, formValues, summaryOf, wishOf } from './views.ts'

interface Deps {
  rollouts: Rollouts
  settings: Settings
  bus: Bus
  streams: EventStreams
  frames: Frames
  logins: Logins
  edge: EdgeRules
}

const FORM = t.Record(t.String(), t.Union([t.String(), t.Array(t.String())]))
const LIVE = t.Object({ rollout: t.Optional(t.String({ pattern: '^[1-9][0-9]{0,14}$' })), shown: t.Optional(t.String({ pattern: SHOWN_PATTERN })) })

/** The pages and the stream that keeps them true. */
export function rolloutPages(deps: Deps) {
  const { rollouts, bus, streams, frames, logins, edge } = deps
  const drawList: Draw = async () => ({ rollouts: await RolloutList({ rollouts: (await rollouts.list()).map(summaryOf) }) })
  const read = async (id: number) => ({ rollout: summaryOf(await rollouts.get(id)), agents: (await rollouts.agentsOf(id)).map(agentView) })
  const form = formOf(deps)
  return (
    new Elysia({ name: 'rollout-pages', prefix: '/admin/rollouts' })
      .use(adminOnly({ logins, edge }))
      .get('/', async ({ user }) => {
        const all = (await rollouts.list()).map(summaryOf)
        const marks = await marksOf(async () => ({ rollouts: await RolloutList({ rollouts: all }) }))
        return page((nonce) => RolloutsPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), rollouts: all, stream: `/admin/rollouts/live?shown=${marks}` }))
      })
      .get('/new', ({ user }) => form(user, {}))
      // With the agents that were chosen in the list; an address holds a name only once.
      .post('/new', ({ user, body }) => form(user, body), { body: FORM })
      .post(
        '/',
        async ({ user, body }) => {
          try {
            return redirect(`/admin/rollouts/${(await rollouts.create(wishOf(body), user)).id}`)
          } catch (error) {
            if (error instanceof AppError && error.kind !== 'unavailable') return form(user, body, error)
            throw error
          }
        },
        { body: FORM },
      )
      .get(
        '/live',
        async ({ loginId, query, request, server }) => {
          const id = query.rollout === undefined ? undefined : parseId(query.rollout)
          if (id !== undefined) await rollouts.get(id)
          const draw: Draw = id === undefined ? drawList : async () => ({ rollout: await RolloutView(await read(id)) })
          server?.timeout(request, 0)
          const shown = Shown.parse(request.headers.get('last-event-id') ?? query.shown ?? '')
          return streams.answer(loginId, (sink) => keepTrue({ bus, concerns: ({ kind }) => kind === 'rollout.changed', draw, shown, sink }))
        },
        { query: LIVE },
      )
      .get('/:id', async ({ user, params }) => {
        const model = await read(parseId(params.id))
        const marks = await marksOf(async () => ({ rollout: await RolloutView(model) }))
        const stream = `/admin/rollouts/live?rollout=${model.rollout.id}&shown=${marks}`
        return page((nonce) => RolloutPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), ...model, stream }))
      })
      .post('/:id/cancellation', async ({ params }) => {
        const { rollout } = await rollouts.cancel(parseId(params.id))
        return redirect(`/admin/rollouts/${rollout.id}`)
      })
  )
}

function formOf({ rollouts, settings, frames }: Deps) {
  return async (user: UserRow, fields: FormFields, error?: AppError) => {
    const [{ image }, { chosen, images, total }] = await Promise.all([settings.limits(user.id), rollouts.choice(chosenIds(fields))])
    const { wait_seconds: wait, ...errors } = error?.fields ?? {}
    const model = {
      values: formValues(fields, chosen.length > 0),
      chosen,
      images,
      inherited: image,
      total,
      errors: wait ? { ...errors, wait_minutes: 'Give minutes, a week at most.' } : errors,
      problem: error?.message,
      hasImages: rollouts.hasImages,
    }
    return page((nonce) => RolloutFormPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), form: model }), error ? STATUS[error.kind] : 200)
  }
}
