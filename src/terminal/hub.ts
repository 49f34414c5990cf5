// All terminals of this process: finds or makes the one of an agent, and keeps the limits of viewers.
import type { Logger } from '../lib/logger.ts'
import { until } from '../lib/until.ts'
import { CLOSE } from './frames.ts'
import type { FindTerminal } from './link.ts'
import type { ModesMemory } from './memory.ts'
import { Seat, type ViewerConnection } from './seat.ts'
import { Terminal } from './terminal.ts'
import type { OpenUpstream } from './upstream.ts'
import type { ViewerIdentity, ViewerTransport } from './viewer.ts'

export type { ViewerConnection } from './seat.ts'

const MAX_PER_TERMINAL = 8
const MAX_PER_USER = 20
const TICK_MS = 250
// Every socket is asked for a sign of life and gets one each twenty seconds; the agents take turns.
const BEAT_TICKS = 80
const NOTE_INPUT_EVERY_MS = 30_000
const NOTE_OUTPUT_TICKS = 80

/** Which terminal, and how to find it when it must be dialled. */
export interface TerminalKey {
  agentId: number
  find: FindTerminal
}

/** Which sockets are meant: every field that is given must fit. */
export interface ViewerFilter {
  agentId?: number
  userId?: number
  loginIds?: readonly string[]
}

/** Fans terminals out to viewers. One clock serves all of them: an idle terminal costs its memory only. */
export class TerminalHub {
  private readonly terminals = new Map<number, Terminal>()
  private readonly seats = new Set<Seat>()
  private readonly notedInput = new Map<number, number>()
  private inputListener: (agentId: number) => void = () => {}
  private outputListener?: (agentIds: number[]) => void
  private ticks = 0
  private readonly clock = setInterval(() => this.tick(), TICK_MS)

  constructor(private readonly deps: { openUpstream: OpenUpstream; logger: Logger; memory: ModesMemory }) {
    this.clock.unref?.()
  }

  /** What is open now. Viewers are zero when everybody has gone; terminals and upstreams live as long as their sandboxes. */
  get counts(): { terminals: number; upstreams: number; viewers: number } {
    const upstreams = [...this.terminals.values()].filter((terminal) => terminal.live).length
    return { terminals: this.terminals.size, upstreams, viewers: this.seats.size }
  }

  /** Calls back when somebody typed, at most every thirty seconds per agent. */
  onInput(listener: (agentId: number) => void): void {
    this.inputListener = listener
  }

  /** Calls back, each twenty seconds, with the agents whose programs wrote something that nobody's page had asked for. */
  onOutput(listener: (agentIds: number[]) => void): void {
    this.outputListener = listener
  }

  /** Whether a terminal of this agent is kept, or somebody waits for one. */
  serves(agentId: number): boolean {
    return this.terminals.has(agentId) || [...this.seats].some((seat) => seat.agentId === agentId)
  }

  /** The agents of all terminals that are kept. */
  agentIds(): number[] {
    return [...new Set([...this.terminals.keys(), ...[...this.seats].map(({ agentId }) => agentId)])]
  }

  /** The logins behind all open sockets. */
  loginIds(): string[] {
    return [...new Set([...this.seats].map(({ identity }) => identity.loginId))]
  }

  /**
   * Connects to the terminal of a sandbox that has just been started and resolves when it has answered with a first
   * byte, so that the ring holds the screen from its beginning. Viewers of an older sandbox go on with an empty screen
   * and a new stream. Rejects after `timeoutMs`.
   */
  async answers(key: TerminalKey, timeoutMs: number): Promise<void> {
    const present = this.terminals.get(key.agentId)
    if (present) present.renew(key.find)
    else this.deps.memory.forget(key.agentId)
    await until(
      () => {
        const terminal = this.terminal(key)
        terminal.open()
        return terminal.ring.end > 0
      },
      { timeoutMs, intervalMs: 25, what: 'an answer of the terminal' },
    )
  }

  /**
   * Takes a socket in. It is closed with a code of the contract when a limit is reached or it breaks the protocol.
   * A page that comes back names the seat that it had: nothing that is still on its way from there is heard any more.
   */
  connect(key: TerminalKey, identity: ViewerIdentity, transport: ViewerTransport, replaces?: string): ViewerConnection {
    if (replaces) this.replace(key.agentId, identity.userId, replaces)
    const refusal = this.limitReached(key.agentId, identity.userId)
    if (refusal) {
      transport.close(CLOSE.tooMany, refusal)
      return { message() {}, pong() {}, drain() {}, closed() {} }
    }
    const seat = new Seat({
      agentId: key.agentId,
      identity,
      transport,
      terminal: () => this.terminal(key),
      typed: () => this.noteInput(key.agentId),
      left: () => this.seats.delete(seat),
    })
    this.seats.add(seat)
    return seat
  }

  /** Closes the sockets of ended logins. */
  endLogins(loginIds: readonly string[]): void {
    this.closeViewers({ loginIds }, CLOSE.signedOut, 'signed out')
  }

  /** Closes the sockets that `filter` means. From this call on nothing that they send is heard. */
  closeViewers({ agentId, userId, loginIds }: ViewerFilter, code: number, reason: string): void {
    for (const seat of [...this.seats]) {
      const { loginId, userId: owner } = seat.identity
      const meant = (agentId ?? seat.agentId) === seat.agentId && (userId ?? owner) === owner && (loginIds?.includes(loginId) ?? true)
      if (meant) seat.close(code, reason)
    }
  }

  /** The agent is gone: its sockets are closed with 4404, its upstream and its ring are freed. */
  drop(agentId: number): void {
    this.closeViewers({ agentId }, CLOSE.gone, 'the agent does not run')
    this.terminals.get(agentId)?.end()
    this.forget(agentId)
    this.deps.memory.forget(agentId)
  }

  /** The server goes down; clients come back to the next one. */
  endAll(): void {
    this.closeViewers({}, CLOSE.restart, 'server restart')
    for (const [agentId, terminal] of this.terminals) {
      terminal.end()
      this.forget(agentId)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.clock)
    this.endAll()
  }

  private terminal({ agentId, find }: TerminalKey): Terminal {
    const present = this.terminals.get(agentId)
    if (present) return present
    const { openUpstream, logger, memory } = this.deps
    const own = { recall: () => memory.recall(agentId), keep: (modes: Uint8Array) => memory.keep(agentId, modes) }
    const made = new Terminal({ openUpstream, find, logger: logger.with({ agentId }), memory: own, onEnd: () => this.forget(agentId) })
    this.terminals.set(agentId, made)
    return made
  }

  private tick(): void {
    const turn = this.ticks++ % BEAT_TICKS
    for (const terminal of this.terminals.values()) terminal.tick()
    if (this.outputListener && this.ticks % NOTE_OUTPUT_TICKS === 0) this.noteOutput(this.outputListener)
    for (const seat of this.seats) if (seat.agentId % BEAT_TICKS === turn) seat.beat()
  }

  // The room of a connection that is only half dead is free at once.
  private replace(agentId: number, userId: number, seatId: string): void {
    for (const seat of this.seats) {
      if (seat.id !== seatId || seat.agentId !== agentId || seat.identity.userId !== userId) continue
      seat.close(CLOSE.normal, 'replaced by a newer connection')
      this.seats.delete(seat)
    }
  }

  private forget(agentId: number): void {
    this.terminals.delete(agentId)
    this.notedInput.delete(agentId)
  }

  private limitReached(agentId: number, userId: number): string | undefined {
    let sameTerminal = 0
    let sameUser = 0
    for (const { agentId: other, identity } of this.seats) {
      if (other === agentId) sameTerminal++
      if (identity.userId === userId) sameUser++
    }
    if (sameTerminal >= MAX_PER_TERMINAL) return `at most ${MAX_PER_TERMINAL} tabs per terminal`
    return sameUser >= MAX_PER_USER ? `at most ${MAX_PER_USER} terminals per user` : undefined
  }

  private noteOutput(listener: (agentIds: number[]) => void): void {
    const moved = [...this.terminals].filter(([, terminal]) => terminal.takeMoved()).map(([agentId]) => agentId)
    if (moved.length > 0) listener(moved)
  }

  private noteInput(agentId: number): void {
    const now = performance.now()
    if (now - (this.notedInput.get(agentId) ?? Number.NEGATIVE_INFINITY) < NOTE_INPUT_EVERY_MS) return
    this.notedInput.set(agentId, now)
    this.inputListener(agentId)
  }
}
