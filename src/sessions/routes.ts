// JSON API of sessions: open, read, restart, stop, delete, statuses, and the stream of a start.
import { Elysia, t } from 'elysia'
import type { Agents } from '../agents/agents.ts'
import type { Bus } from '../bus/bus.ts'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { type EventStreams, encodeEvent } from '../http/sse.ts'
import { themeOf } from '../http/theme.ts'
import { parseId } from '../lib/ids.ts'
import { latest } from '../lib/latest.ts'
import type { Logins } from '../users/logins.ts'
import type { Repeats } from '../users/repeats.ts'
import type { AgentStatuses } from './agent-statuses.ts'
import type { SessionRow } from './schema.ts'
import type { Sessions } from './sessions.ts'
import { percentOf } from './steps.ts'

interface Deps {
  sessions: Sessions
  agents: Agents
  repeats: Repeats
  statuses: AgentStatuses
  logins: Logins
  bus: Bus
  streams: EventStreams
  edge: EdgeRules
}

const READ_EVERY_MS = 5000

const OPEN = t.Object(
  { agent_id: t.Union([t.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), t.String({ pattern: '^[1-9][0-9]{0,14}$' })]) },
  { additionalProperties: false },
)

/** Sessions of the caller's agents. */
export function sessionRoutes({ sessions, agents, repeats, statuses, logins, bus, streams, edge }: Deps) {
  return new Elysia({ prefix: '/api', name: 'sessions' })
    .use(signedIn({ logins, edge }))
    .post(
      '/sessions',
      async ({ user, body, request, set }) => {
        const agent = await agents.owned(user, Number(body.agent_id))
        const repeatable = { user, key: request.headers.get('idempotency-key'), operation: 'POST /api/sessions', body }
        const answer = await repeats.once(
          repeatable,
          (within) => sessions.open(agent, { theme: themeOf(user, request), within }),
          ({ session, isNew }) => ({ ...sessionJson(session), is_new: isNew }),
        )
        set.status = answer.is_new ? 201 : 200
        return answer
      },
      { body: OPEN },
    )
    .get('/sessions', async ({ user }) => ({ sessions: (await sessions.list(user)).map(sessionJson) }))
    .get('/sessions/:id', async ({ user, params }) => sessionJson(await sessions.owned(user, params.id)))
    .delete('/sessions/:id', async ({ user, params, set }) => {
      await sessions.delete(user, params.id)
      set.status = 204
    })
    .get('/sessions/:id/events', async ({ user, loginId, params, request, server }) => {
      const session = await sessions.owned(user, params.id)
      server?.timeout(request, 0)
      return streams.answer(loginId, (sink) => {
        let told = ''
        const read = latest(async () => {
          try {
            const data = JSON.stringify(sessionJson(await sessions.owned(user, session.id)))
            if (data !== told) sink.send(encodeEvent({ event: 'session', data }))
            told = data
          } catch {
            // Gone, or not to be read now: the client comes back, and is told which of the two.
            sink.close()
          }
        })
        const off = bus.subscribe((event) => event.kind === 'session.changed' && event.sessionId === session.id && read())
        // A hint may be lost.
        const clock = setInterval(read, READ_EVERY_MS)
        // Subscribed first, then the snapshot: a change in between is read twice rather than never.
        read()
        return () => {
          off()
          clearInterval(clock)
        }
      })
    })
    .post('/agents/:id/restart', async ({ user, params, request }) =>
      sessionJson(await sessions.restart(await agents.owned(user, parseId(params.id)), { theme: themeOf(user, request) })),
    )
    .post('/agents/:id/stop', async ({ user, params, set }) => {
      await sessions.stop(await agents.owned(user, parseId(params.id)), 'Stopped by you.')
      set.status = 204
    })
    .get('/agent-statuses', async ({ user }) => ({ statuses: await statuses.list(user) }))
}

/** What the API shows of a session. */
export function sessionJson(session: SessionRow) {
  return {
    session_id: session.id,
    agent_id: session.agentId,
    status: session.status,
    percent: session.status === 'creating' ? percentOf(session.steps) : 100,
    steps: session.steps,
    reason: session.reason,
    warning: session.warning,
    activity: session.activity,
    started_at: session.startedAt.toISOString(),
    ready_at: session.readyAt?.toISOString() ?? null,
    last_active: session.lastActive.toISOString(),
    created_at: session.createdAt.toISOString(),
    updated_at: session.updatedAt.toISOString(),
  }
}
