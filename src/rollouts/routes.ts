// JSON API of rollouts for admins, with the reference's two ways to change images: of one agent, and of all.
import { Elysia, t } from 'elysia'
import type { Bus } from '../bus/bus.ts'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { type EventStreams, encodeEvent } from '../http/sse.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
import { latest } from '../lib/latest.ts'
import type { Logins } from '../users/logins.ts'
import { rolloutAgentJson, rolloutJson } from './json.ts'
import type { Rollouts } from './rollouts.ts'

interface Deps {
  rollouts: Rollouts
  logins: Logins
  bus: Bus
  streams: EventStreams
  edge: EdgeRules
}

const READ_EVERY_MS = 5000
const strict = { additionalProperties: false }
const IMAGE = t.Union([t.String(), t.Null()])
const ID = t.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const CREATE = t.Object(
  {
    image: IMAGE,
    agent_ids: t.Optional(t.Array(ID)),
    filter: t.Optional(t.Object({ user_id: t.Optional(ID), name: t.Optional(t.String()), image: t.Optional(t.String()) }, strict)),
    wave_size: t.Optional(t.Number()),
    max_failures: t.Optional(t.Number()),
    quiet_seconds: t.Optional(t.Number()),
    wait_seconds: t.Optional(t.Number()),
  },
  strict,
)

/** Begin, follow and cancel rollouts. */
export function rolloutRoutes({ rollouts, logins, bus, streams, edge }: Deps) {
  const whole = async (id: number) => ({ ...rolloutJson(await rollouts.get(id)), agents: (await rollouts.agentsOf(id)).map(rolloutAgentJson) })
  return new Elysia({ prefix: '/api/admin', name: 'rollouts' })
    .use(adminOnly({ logins, edge }))
    .get('/rollouts', async () => ({ rollouts: (await rollouts.list()).map(rolloutJson) }))
    .post(
      '/rollouts',
      async ({ body, user, set }) => {
        const { agent_ids: agentIds, filter = {}, image } = body
        const agents = agentIds ? { agentIds } : { filter: { userId: filter.user_id, name: filter.name, image: filter.image } }
        const pace = { waveSize: body.wave_size, maxFailures: body.max_failures, quietSeconds: body.quiet_seconds, waitSeconds: body.wait_seconds }
        const { id } = await rollouts.create({ image: image || null, agents, ...pace }, user)
        set.status = 202
        return rolloutJson(await rollouts.get(id))
      },
      { body: CREATE },
    )
    .get('/rollouts/:id', ({ params }) => whole(parseId(params.id)))
    .post('/rollouts/:id/cancellation', async ({ params }) => rolloutJson(await rollouts.cancel(parseId(params.id))))
    .get('/rollouts/:id/events', async ({ loginId, params, request, server }) => {
      const { rollout } = await rollouts.get(parseId(params.id))
      server?.timeout(request, 0)
      return streams.answer(loginId, (sink) => {
        let told = ''
        const read = latest(async () => {
          try {
            const data = JSON.stringify(await whole(rollout.id))
            if (data !== told) sink.send(encodeEvent({ event: 'rollout', data }))
            told = data
          } catch {
            // Not to be read now: the client comes back.
            sink.close()
          }
        })
        const off = bus.subscribe((event) => event.kind === 'rollout.changed' && event.rolloutId === rollout.id && read())
        const clock = setInterval(read, READ_EVERY_MS)
        read()
        return () => {
          off()
          clearInterval(clock)
        }
      })
    })
    .put(
      '/users/:userId/agents/:agentId/image',
      async ({ params, body, user }) => {
        const agentIds = [parseId(params.agentId)]
        if (!(await rollouts.belongs(agentIds, parseId(params.userId)))) throw new AppError('not_found', 'not_found', 'This agent is not here.')
        const { id } = await rollouts.create({ image: body.image || null, agents: { agentIds }, waveSize: 1, maxFailures: 1, quietSeconds: 0, waitSeconds: 0 }, user)
        return { message: 'The agent gets this image. If it does not come up with it, it goes back to the one that it has.', rollout_id: id }
      },
      { body: t.Object({ image: IMAGE }, strict) },
    )
    .post(
      '/agents/batch-update-image',
      async ({ body, user, set }) => {
        const { id } = await rollouts.create({ image: body.image || null, agents: { filter: {} } }, user)
        const { total, done, failed } = rolloutJson(await rollouts.get(id))
        set.status = 202
        return { total, updated: done, failed, errors: [], rollout_id: id }
      },
      { body: t.Object({ image: IMAGE }, strict) },
    )
}
