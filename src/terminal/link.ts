// Keeps one agent's terminal connected to its upstream: dials, dials again with growing pauses, and holds it back when asked.
import type { Logger } from '../lib/logger.ts'
import type { TerminalAddress } from '../runtime/runtime.ts'
import type { OpenUpstream, TerminalSize, Upstream } from './upstream.ts'

/** Asks the runtime where the terminal is now; rejects while there is none. */
export type FindTerminal = () => Promise<TerminalAddress>

const DIAL_MS = 5000
const FIRST_RETRY_MS = 250
const RETRY_MAX_MS = 5000
const EARLY_BYTES = 64 * 1024
const EARLY_MS = 5000

/** What the link tells its terminal. */
export interface LinkOwner {
  output(bytes: Uint8Array): void
  connected(): void
  /** Input that had to wait was taken. */
  taken(): void
  /** The upstream is gone, or could not be reached; `tries` dials have failed in a row. True asks for another dial. */
  lost(why: 'ended' | 'lost' | 'absent', tries: number): boolean
}

/** The way to an upstream that may come and go. Calls on it are safe in every state. */
export class UpstreamLink {
  size: TerminalSize = { columns: 100, rows: 30 }
  held = false
  private upstream?: Upstream
  private tries = 0
  private retry?: ReturnType<typeof setTimeout>
  // A dial or a connection of an older epoch has nothing to say any more.
  private epoch = 0
  private dialling?: number
  private closed = false
  private find: FindTerminal
  private early: { bytes: Uint8Array; at: number }[] = []

  constructor(
    private readonly deps: { openUpstream: OpenUpstream; find: FindTerminal; logger: Logger },
    private readonly owner: LinkOwner,
  ) {
    this.find = deps.find
  }

  get live(): boolean {
    return this.upstream !== undefined
  }

  /** Bytes of input that are not taken yet. */
  get queuedBytes(): number {
    return this.upstream?.queuedBytes ?? this.early.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  }

  /** Connects unless that is done or under way. */
  open(): void {
    if (this.upstream || this.dialling !== undefined || this.retry || this.closed) return
    const { epoch } = this
    this.dialling = epoch
    void this.dial(epoch).finally(() => {
      if (this.dialling === epoch) this.dialling = undefined
    })
  }

  /** Forgets the present connection and dials another address at once. */
  renew(find: FindTerminal): void {
    this.drop()
    this.find = find
    this.early = []
    this.tries = 0
    this.dialling = undefined
    this.open()
  }

  /** Sends keystrokes; what is typed while the first connection is made arrives with it. */
  write(bytes: Uint8Array): void {
    if (this.upstream) return this.upstream.write(bytes)
    if (this.queuedBytes + bytes.byteLength <= EARLY_BYTES) this.early.push({ bytes: bytes.slice(), at: performance.now() })
  }

  resize(size: TerminalSize): void {
    this.size = size
    this.upstream?.resize(size)
  }

  redraw(): void {
    this.upstream?.redraw()
  }

  /** Stops reading, so that the program is held back by its PTY. */
  hold(): void {
    if (this.held || !this.upstream) return
    this.held = true
    this.upstream.pause()
  }

  release(): void {
    if (!this.held) return
    this.held = false
    this.upstream?.resume()
  }

  close(): void {
    this.closed = true
    this.drop()
  }

  private async dial(epoch: number): Promise<void> {
    const stale = () => this.closed || epoch !== this.epoch
    try {
      const address = await this.find()
      if (stale()) return
      let over: 'ended' | 'lost' | undefined
      const sink = {
        data: (bytes: Uint8Array) => {
          if (!stale()) this.owner.output(bytes)
        },
        taken: () => {
          if (!stale()) this.owner.taken()
        },
        closed: (why: 'ended' | 'lost', detail: string) => {
          this.deps.logger.debug('terminal upstream closed', { why, detail })
          over = why
          if (!stale() && this.upstream) this.again(why)
        },
      }
      const upstream = await this.deps.openUpstream(address, this.size, sink, DIAL_MS)
      if (stale()) return upstream.close()
      // It may have closed again before its opening was seen here.
      if (over) return this.again(over)
      this.connected(upstream)
    } catch (error) {
      if (stale()) return
      this.deps.logger.debug('terminal is not there yet', { error })
      this.again('absent')
    }
  }

  private connected(upstream: Upstream): void {
    this.upstream = upstream
    this.tries = 0
    const since = performance.now() - EARLY_MS
    // Keys that were typed long ago must not run in a shell that came up since.
    for (const { bytes, at } of this.early) if (at >= since) upstream.write(bytes)
    this.early = []
    this.owner.connected()
  }

  private again(why: 'ended' | 'lost' | 'absent'): void {
    this.drop()
    if (!this.owner.lost(why, this.tries) || this.closed) return
    const wait = Math.min(RETRY_MAX_MS, FIRST_RETRY_MS * 2 ** this.tries++) * (0.7 + Math.random() * 0.6)
    this.retry = setTimeout(() => {
      this.retry = undefined
      this.open()
    }, wait)
  }

  private drop(): void {
    this.epoch++
    this.held = false
    this.upstream?.close()
    this.upstream = undefined
    clearTimeout(this.retry)
    this.retry = undefined
  }
}
