// All terminals of this process: finds or makes the one of an agent, and keeps the limits of viewers.
import type { Logger } from '../lib/logger.ts'
import { until } from '../lib/until.ts'
import { CLOSE, parseClientFrame, parseHello } from './frames.ts'
import { type FindTerminal, Terminal } from './terminal.ts'
import type { OpenUpstream } from './upstream.ts'
import { Viewer, type ViewerIdentity, type ViewerTransport } from './viewer.ts'

const MAX_PER_TERMINAL = 8
const MAX_PER_USER = 20
const GREETING_MS = 10_000
const TICK_MS = 1000
const NOTE_INPUT_EVERY_MS = 30_000

/** What the socket of a viewer does with its events. */
export interface ViewerConnection {
  message(frame: Uint8Array): void
  drain(): void
  closed(): void
}

export interface TerminalKey {
  agentId: number
  find: FindTerminal
}

type OpenViewer = { viewer?: Viewer; transport: ViewerTransport; identity: ViewerIdentity; agentId: number }

/** Fans terminals out to viewers. */
export class TerminalHub {
  private readonly terminals = new Map<number, Terminal>()
  private readonly open = new Set<OpenViewer>()
  private readonly notedInput = new Map<number, number>()
  private inputListener: (agentId: number) => void = () => {}
  private readonly clock = setInterval(() => {
    for (const terminal of this.terminals.values()) terminal.tick()
  }, TICK_MS)

  constructor(private readonly deps: { openUpstream: OpenUpstream; logger: Logger }) {
    this.clock.unref?.()
  }

  /** Counters that must be zero when everybody has gone. */
  get counts(): { terminals: number; viewers: number } {
    return { terminals: this.terminals.size, viewers: this.open.size }
  }

  /** Calls back when somebody typed, at most every thirty seconds per agent. */
  onInput(listener: (agentId: number) => void): void {
    this.inputListener = listener
  }

  loginIds(): string[] {
    return [...new Set([...this.open].map(({ identity }) => identity.loginId))]
  }

  /**
   * Connects to the terminal of a sandbox that has just been started and resolves when it has answered with a first
   * byte, so that the ring holds the screen from its beginning. Rejects after `timeoutMs`.
   */
  async answers(key: TerminalKey, timeoutMs: number): Promise<void> {
    this.terminals.get(key.agentId)?.renew()
    await until(
      () => {
        const terminal = this.terminal(key)
        terminal.open()
        return terminal.ring.end > 0
      },
      { timeoutMs, intervalMs: 25, what: 'an answer of the terminal' },
    )
  }

  /** Takes a socket in. It is closed with a code of the contract when a limit is reached or it breaks the protocol. */
  connect(key: TerminalKey, identity: ViewerIdentity, transport: ViewerTransport): ViewerConnection {
    const entry: OpenViewer = { transport, identity, agentId: key.agentId }
    const refusal = this.limitReached(key.agentId, identity)
    if (refusal) {
      transport.close(CLOSE.tooMany, refusal)
      return { message() {}, drain() {}, closed() {} }
    }
    this.open.add(entry)
    const silent = setTimeout(() => transport.close(CLOSE.policy, 'no greeting'), GREETING_MS)
    return {
      message: (frame) => {
        clearTimeout(silent)
        if (entry.viewer) this.receive(entry, entry.viewer, frame)
        else this.greet(key, entry, frame)
      },
      drain: () => entry.viewer && this.terminals.get(key.agentId)?.drained(entry.viewer),
      closed: () => {
        clearTimeout(silent)
        this.open.delete(entry)
        if (entry.viewer) this.terminals.get(key.agentId)?.detach(entry.viewer)
      },
    }
  }

  /** Closes the sockets of ended logins. */
  endLogins(loginIds: readonly string[]): void {
    for (const { transport, identity } of [...this.open]) if (loginIds.includes(identity.loginId)) transport.close(CLOSE.signedOut, 'signed out')
  }

  /** The agent's sandbox has stopped: its viewers are told, its ring is freed. */
  drop(agentId: number): void {
    this.terminals.get(agentId)?.end(CLOSE.gone, 'the agent does not run')
    this.terminals.delete(agentId)
  }

  /** The server goes down; clients come back to the next one. */
  endAll(): void {
    for (const terminal of this.terminals.values()) terminal.end(CLOSE.restart, 'server restart')
    for (const { transport } of [...this.open]) transport.close(CLOSE.restart, 'server restart')
    this.terminals.clear()
  }

  [Symbol.dispose](): void {
    clearInterval(this.clock)
    this.endAll()
  }

  private greet(key: TerminalKey, entry: OpenViewer, frame: Uint8Array): void {
    const hello = parseHello(frame)
    if ('kind' in hello) return entry.transport.close(hello.code, hello.why)
    entry.viewer = new Viewer(entry.identity, entry.transport, hello.size)
    this.terminal(key).attach(entry.viewer, hello)
  }

  private receive(entry: OpenViewer, viewer: Viewer, bytes: Uint8Array): void {
    const frame = parseClientFrame(bytes)
    if (frame.kind === 'bad') return entry.transport.close(frame.code, frame.why)
    this.terminals.get(entry.agentId)?.receive(viewer, frame)
    if (frame.kind === 'input') this.noteInput(entry.agentId)
  }

  private terminal({ agentId, find }: TerminalKey): Terminal {
    const present = this.terminals.get(agentId)
    if (present) return present
    const { openUpstream, logger } = this.deps
    const made: Terminal = new Terminal({
      openUpstream,
      find,
      logger: logger.with({ agentId }),
      onEnd: () => this.terminals.get(agentId) === made && this.terminals.delete(agentId),
    })
    this.terminals.set(agentId, made)
    return made
  }

  private limitReached(agentId: number, { userId }: ViewerIdentity): string | undefined {
    const all = [...this.open]
    if (all.filter((entry) => entry.agentId === agentId).length >= MAX_PER_TERMINAL) return `at most ${MAX_PER_TERMINAL} tabs per terminal`
    return all.filter((entry) => entry.identity.userId === userId).length >= MAX_PER_USER ? `at most ${MAX_PER_USER} terminals per user` : undefined
  }

  private noteInput(agentId: number): void {
    const now = performance.now()
    if (now - (this.notedInput.get(agentId) ?? Number.NEGATIVE_INFINITY) < NOTE_INPUT_EVERY_MS) return
    this.notedInput.set(agentId, now)
    this.inputListener(agentId)
  }
}
