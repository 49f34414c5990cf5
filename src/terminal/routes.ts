// The terminal's socket: who may open it is decided before the upgrade, what it says by the hub.
import { Elysia, t } from 'elysia'
import type { Agents } from '../agents/agents.ts'
import { type EdgeRules, identify, signedIn } from '../http/auth.ts'
import { requestIdOf } from '../http/edge.ts'
import { originAllowed } from '../http/origin.ts'
import { guard } from '../http/policies.ts'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Identity, Logins } from '../users/logins.ts'
import { CLOSE } from './frames.ts'
import type { TerminalHub, ViewerConnection } from './hub.ts'
import type { TerminalTickets } from './tickets.ts'
import type { ViewerTransport } from './viewer.ts'

interface Deps {
  logger: Logger
  hub: TerminalHub
  tickets: TerminalTickets
  sessions: Sessions
  agents: Agents
  runtime: Runtime
  logins: Logins
  edge: EdgeRules
}

/**
 * Limits of every socket. Pages cut a paste into frames; the hub keeps queues far below the last limit, and finds out who
 * is gone: to Bun a socket that something is sent to is never idle.
 */
export const terminalWebSocket = {
  perMessageDeflate: false,
  maxPayloadLength: 64 * 1024,
  idleTimeout: 60,
  sendPings: true,
  backpressureLimit: 4 * 1024 * 1024,
  closeOnBackpressureLimit: true,
} as const

/** Handlers that Bun's socket calls; Elysia passes them through the data of an upgrade. */
interface SocketHandlers {
  open(socket: Bun.ServerWebSocket<unknown>): void
  message(socket: Bun.ServerWebSocket<unknown>, message: string | Uint8Array): void
  pong(): void
  drain(): void
  close(): void
}

/** `GET /ws/{sessionId}` and the tickets for clients without cookies. */
export function terminalRoutes({ logger, hub, tickets, sessions, agents, runtime, logins, edge }: Deps) {
  const whoever = async (request: Request, ticket: string | undefined, sessionId: string): Promise<Identity> => {
    if (ticket === undefined) return identify(request, { logins, edge })
    const loginId = tickets.redeem(ticket, sessionId)
    const identity = loginId && (await logins.byId(loginId))
    if (!identity) throw new AppError('unauthorized', 'invalid_ticket', 'This ticket is used or too old. Ask for a new one.')
    return identity
  }
  const viewer = guard('signed in', async ({ request, params, query }: { request: Request; params: Record<string, string>; query: Record<string, string | undefined> }) => {
    const origin = request.headers.get('origin')
    // Browsers always send an Origin with a socket; one of another site is refused whatever cookie it brings.
    if (origin !== null && !originAllowed(origin, request.headers.get('host'), edge)) throw new AppError('forbidden', 'bad_origin', 'This page may not open a terminal.')
    return { ...(await whoever(request, query.ticket, params.id ?? '')) }
  })
  const sockets = new Elysia({ name: 'terminal' }).derive(viewer).get(
    '/ws/:id',
    async ({ user, loginId, request, server, params, query, set }) => {
      const session = await sessions.owned(user, params.id)
      // A socket that comes back by itself wakes nobody.
      if (session.status === 'asleep' || session.status === 'stopped' || session.status === 'failed')
        throw new AppError('not_found', 'not_running', 'This agent does not run. Start it first.')
      const agent = await agents.owned(user, session.agentId)
      if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') throw new AppError('malformed', 'upgrade_required', 'This address is for WebSockets.')
      const find = () => runtime.terminal({ userId: agent.createdBy, agentId: agent.id })
      const requestId = requestIdOf(request)
      const handlers = socketHandlers(
        (socket) => hub.connect({ agentId: agent.id, find }, { userId: user.id, loginId }, transportOf(socket), query.replaces),
        (error) => logger.error('a terminal socket failed', { requestId, agentId: agent.id, error }),
      )
      set.headers = {}
      const upgraded = server?.upgrade(request, { headers: { 'sec-websocket-protocol': 'tty' }, data: handlers as never })
      if (!upgraded) throw new AppError('malformed', 'upgrade_failed', 'The WebSocket handshake is not valid.')
    },
    { query: t.Object({ ticket: t.Optional(t.String({ maxLength: 100 })), replaces: t.Optional(t.String({ maxLength: 100 })) }, { additionalProperties: true }) },
  )
  const issue = new Elysia({ name: 'terminal-tickets' }).use(signedIn({ logins, edge })).post('/api/sessions/:id/ticket', async ({ user, loginId, params, set }) => {
    const session = await sessions.owned(user, params.id)
    const { ticket, expiresInS } = tickets.issue(session.id, loginId)
    set.status = 201
    return { ticket, expires_in: expiresInS, path: `/ws/${session.id}?ticket=${ticket}` }
  })
  return new Elysia({ name: 'terminal-all' }).use(sockets).use(issue)
}

/** What a viewer needs of Bun's socket. */
export function transportOf(socket: Bun.ServerWebSocket<unknown>): ViewerTransport {
  return {
    send: (frame) => socket.sendBinary(frame),
    getBufferedAmount: () => socket.getBufferedAmount(),
    close: (code, reason) => socket.close(code, reason),
    ping: () => void socket.ping(),
    terminate: () => socket.terminate(),
  }
}

/** A fault in one socket ends that socket, and no other one and not the process. */
function socketHandlers(connect: (socket: Bun.ServerWebSocket<unknown>) => ViewerConnection, failed: (error: unknown) => void): SocketHandlers {
  let connection: ViewerConnection | undefined
  let open: Bun.ServerWebSocket<unknown> | undefined
  const safely = (work: () => void) => {
    try {
      work()
    } catch (error) {
      failed(error)
      open?.close(CLOSE.fault, 'internal error')
    }
  }
  return {
    open(socket) {
      open = socket
      safely(() => {
        connection = connect(socket)
      })
    },
    message(socket, message) {
      if (typeof message === 'string') return socket.close(CLOSE.protocol, 'binary frames only')
      safely(() => connection?.message(message))
    },
    pong() {
      connection?.pong()
    },
    drain() {
      safely(() => connection?.drain())
    },
    close() {
      open = undefined
      safely(() => connection?.closed())
    },
  }
}
