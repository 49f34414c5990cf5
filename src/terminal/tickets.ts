// Single-use tickets: a client without cookies opens a terminal socket with one instead of a token in the URL.
import { randomToken } from '../lib/crypto.ts'

const LIFE_MS = 30_000
const MAX_OPEN = 10_000
// More than anybody opens at once; nobody pushes out the tickets of others.
const MAX_PER_LOGIN = 20

interface Ticket {
  sessionId: string
  loginId: string
  expiresAt: number
}

/** Issues and redeems tickets. Held in memory: a ticket is good for this replica and half a minute. */
export class TerminalTickets {
  private readonly open = new Map<string, Ticket>()

  issue(sessionId: string, loginId: string): { ticket: string; expiresInS: number } {
    const now = Date.now()
    for (const [key, ticket] of this.open) if (ticket.expiresAt < now || this.open.size >= MAX_OPEN) this.open.delete(key)
    const own = [...this.open].filter(([, ticket]) => ticket.loginId === loginId).map(([key]) => key)
    for (const key of own.slice(0, Math.max(0, own.length - MAX_PER_LOGIN + 1))) this.open.delete(key)
    const ticket = randomToken(24)
    this.open.set(ticket, { sessionId, loginId, expiresAt: now + LIFE_MS })
    return { ticket, expiresInS: LIFE_MS / 1000 }
  }

  /** The login that the ticket was given to, once, for this session only. */
  redeem(ticket: string, sessionId: string): string | undefined {
    const found = this.open.get(ticket)
    this.open.delete(ticket)
    return found && found.sessionId === sessionId && found.expiresAt >= Date.now() ? found.loginId : undefined
  }
}
