// One agent's terminal: one upstream, one replay ring, many viewers. Knows no HTTP.
import { randomToken } from '../lib/crypto.ts'
import type { Logger } from '../lib/logger.ts'
import type { TerminalAddress } from '../runtime/runtime.ts'
import { type ClientFrame, type Hello, outputFrame, type StatusFrame, statusFrame } from './frames.ts'
import { ReplayRing } from './ring.ts'
import type { OpenUpstream, TerminalSize, Upstream } from './upstream.ts'
import type { Viewer } from './viewer.ts'

/** Asks the runtime where the terminal is now; rejects while there is none. */
export type FindTerminal = () => Promise<TerminalAddress>

const DIAL_MS = 5000
const RETRY_MAX_MS = 5000
const MAX_PART_BYTES = 64 * 1024
const RESIZE_EVERY_MS = 100
// While input is on its way the upstream is read whatever the viewers do: a held-back dtach does not read input.
const FREE_RUN_MS = 1000
const STALL_MS = 2000

/** Owner of an upstream. Lives while somebody looks and as long as the sandbox runs. */
export class Terminal {
  ring = new ReplayRing()
  readonly viewers = new Set<Viewer>()
  private stream = randomToken(9)
  private upstream?: Upstream
  private state: StatusFrame['state'] = 'connecting'
  private held = false
  private freeRunUntil = 0
  private tries = 0
  private closed = false
  private retry?: ReturnType<typeof setTimeout>
  private dialling = false
  private size: TerminalSize = { columns: 100, rows: 30 }
  private resizeTimer?: ReturnType<typeof setTimeout>
  private resizedAt = 0

  constructor(private readonly deps: { openUpstream: OpenUpstream; find: FindTerminal; logger: Logger; onEnd: () => void }) {}

  /** Adds a viewer: status, then what it misses, then live. */
  attach(viewer: Viewer, { resume }: Hello): void {
    const known = resume?.stream === this.stream && resume.offset <= this.ring.end
    viewer.cursor = known ? resume.offset : this.ring.cleanStart()
    this.viewers.add(viewer)
    viewer.transport.send(statusFrame(this.status(viewer, 0, !known)))
    const { skipped } = viewer.catchUp(this.ring, (gap, reset) => this.status(viewer, gap, reset))
    this.applySize(viewer.size)
    // A screen that begins in the middle of a program's life is painted by the program itself.
    if (skipped > 0 || (!known && this.ring.start > 0)) this.upstream?.redraw()
    this.tell(viewer)
    this.open()
  }

  detach(viewer: Viewer): void {
    if (!this.viewers.delete(viewer)) return
    this.balance()
    this.tell()
  }

  receive(viewer: Viewer, frame: ClientFrame): void {
    switch (frame.kind) {
      case 'input':
        this.applySize(viewer.size)
        this.input(frame.bytes)
        break
      case 'resize':
        viewer.size = frame.size
        this.applySize(frame.size)
        break
      case 'pause':
        viewer.pause()
        this.balance()
        break
      case 'resume':
        viewer.unpause()
        this.drained(viewer)
        break
    }
  }

  /** The viewer's socket has room again. */
  drained(viewer: Viewer): void {
    if (!viewer.drained()) return
    const { skipped } = viewer.catchUp(this.ring, (gap, reset) => this.status(viewer, gap, reset))
    if (skipped > 0) this.upstream?.redraw()
    this.balance()
  }

  /** Once a second: a viewer that does not move for two seconds holds nobody back any more. */
  tick(): void {
    if (this.held && this.stalled()) this.release()
  }

  /** Connects to the upstream unless that is done or under way. */
  open(): void {
    if (!this.upstream && !this.dialling && !this.retry) void this.dial()
  }

  /** The sandbox is new: an empty screen and another stream for everybody. */
  renew(): void {
    this.upstream?.close()
    this.upstream = undefined
    this.held = false
    this.ring = new ReplayRing()
    this.stream = randomToken(9)
    for (const viewer of this.viewers) {
      viewer.cursor = 0
      viewer.transport.send(statusFrame(this.status(viewer, 0, true)))
    }
    clearTimeout(this.retry)
    this.retry = undefined
    this.tries = 0
    this.open()
  }

  /** Ends it for all viewers. */
  end(code: number, reason: string): void {
    this.closed = true
    clearTimeout(this.retry)
    clearTimeout(this.resizeTimer)
    this.upstream?.close()
    for (const viewer of [...this.viewers]) viewer.transport.close(code, reason)
    this.viewers.clear()
  }

  private async dial(): Promise<void> {
    this.retry = undefined
    this.dialling = true
    try {
      const address = await this.deps.find()
      if (this.closed) return
      const sink = { data: (bytes: Uint8Array) => this.output(bytes), closed: (why: 'ended' | 'lost', detail: string) => this.lost(upstream, why, detail) }
      const upstream: Upstream = await this.deps.openUpstream(address, this.size, sink, DIAL_MS)
      if (this.closed) return upstream.close()
      this.upstream = upstream
      this.tries = 0
      this.state = 'live'
      this.tell()
    } catch (error) {
      this.deps.logger.debug('terminal is not there yet', { error })
      this.later()
    } finally {
      this.dialling = false
    }
  }

  private lost(upstream: Upstream | undefined, why: 'ended' | 'lost', detail: string): void {
    if (this.closed || (upstream && this.upstream !== upstream)) return
    this.deps.logger.debug('terminal upstream closed', { why, detail })
    this.upstream = undefined
    this.held = false
    // What the program writes until we are back is lost to the ring: offsets of this stream end here.
    this.stream = randomToken(9)
    if (this.viewers.size === 0) return this.deps.onEnd()
    this.state = 'connecting'
    this.tell()
    this.later()
  }

  private later(): void {
    if (this.closed) return
    if (this.viewers.size === 0) return this.deps.onEnd()
    const wait = Math.min(RETRY_MAX_MS, 250 * 2 ** this.tries++)
    this.retry = setTimeout(() => void this.dial(), wait * (0.7 + Math.random() * 0.6))
  }

  private output(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += MAX_PART_BYTES) {
      const frame = outputFrame(bytes.subarray(at, at + MAX_PART_BYTES))
      this.ring.append(frame.subarray(1))
      for (const viewer of this.viewers) viewer.live(frame, this.ring.end)
    }
    this.balance()
  }

  private input(bytes: Uint8Array): void {
    this.freeRunUntil = performance.now() + FREE_RUN_MS
    this.release()
    this.upstream?.write(bytes)
  }

  // Held back only when every viewer is behind: one reader that keeps up decides the pace.
  private balance(): void {
    const everyoneBehind = this.viewers.size > 0 && [...this.viewers].every((viewer) => viewer.blocked)
    if (!everyoneBehind) return this.release()
    if (this.held || performance.now() < this.freeRunUntil || this.stalled()) return
    this.held = true
    this.upstream?.pause()
  }

  private stalled(): boolean {
    const now = performance.now()
    return [...this.viewers].every((viewer) => now - viewer.lastProgressAt > STALL_MS)
  }

  private release(): void {
    if (!this.held) return
    this.held = false
    this.upstream?.resume()
  }

  // The latest size wins: of the tab that was opened, resized or typed into last. At most ten changes a second.
  private applySize(size: TerminalSize): void {
    if (size.columns === this.size.columns && size.rows === this.size.rows) return
    this.size = size
    const wait = this.resizedAt + RESIZE_EVERY_MS - performance.now()
    if (wait <= 0) return this.sendSize()
    this.resizeTimer ??= setTimeout(() => this.sendSize(), wait)
  }

  private sendSize(): void {
    clearTimeout(this.resizeTimer)
    this.resizeTimer = undefined
    this.resizedAt = performance.now()
    this.upstream?.resize(this.size)
  }

  private tell(except?: Viewer): void {
    for (const viewer of this.viewers) if (viewer !== except) viewer.transport.send(statusFrame(this.status(viewer, 0, false)))
  }

  private status(viewer: Viewer, skipped: number, reset: boolean): StatusFrame {
    return { stream: this.stream, offset: viewer.cursor, skipped, reset, role: 'writer', viewers: this.viewers.size, state: this.closed ? 'ended' : this.state }
  }
}
