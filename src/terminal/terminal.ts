// One agent's terminal: one upstream, one replay ring, many viewers. Knows no HTTP.
import { randomToken } from '../lib/crypto.ts'
import type { Logger } from '../lib/logger.ts'
import { Backpressure } from './backpressure.ts'
import { CLOSE, type ClientFrame, type Hello } from './frames.ts'
import { type FindTerminal, UpstreamLink } from './link.ts'
import { Resizes } from './resizes.ts'
import { ReplayRing } from './ring.ts'
import type { OpenUpstream } from './upstream.ts'
import type { TerminalStatus, Viewer } from './viewer.ts'

/** Input that may wait for a program that does not read. */
const MAX_INPUT_BYTES = 2 * 1024 * 1024
// Below this, whoever typed may send more.
const CALM_INPUT_BYTES = 16 * 1024
const UNSEEN_TRIES = 6
// Per tick of the hub's clock: what counts as the end of a flood.
const CALM_BYTES_PER_TICK = 64 * 1024
// A flood is handed on in frames of about this size, because a send costs more than its bytes. The first chunk after a
// silence and every small one, such as the echo of a key, goes out at once.
const GATHER_BYTES = 32 * 1024
const GATHER_MS = 1
const FLOOD_CHUNK_BYTES = 2 * 1024
// Of the hub's clock: once a second.
const KEEP_TICKS = 4
// What a program writes that soon after its page came or changed its size is a repaint, and no sign of work.
const REPAINT_MS = 2000
// Far below the ring, so that nothing leaves it unseen.
const MAX_PART_BYTES = 64 * 1024

/** Keeps the modes of one terminal over a restart of the server. */
export interface TerminalMemory {
  recall(): Uint8Array
  keep(modes: Uint8Array): void
}

/**
 * Owner of an upstream, which stays open as long as the sandbox runs: dtach keeps no screen, so what is not read is lost
 * for the replay. It ends itself (`onEnd`) when nobody looks and the upstream is gone.
 */
export class Terminal {
  ring: ReplayRing
  readonly viewers = new Set<Viewer>()
  private stream = randomToken(9)
  private closed = false
  private interrupted = false
  // Up to this offset output was handed to the viewers.
  private handed = 0
  private handedAt = 0
  private repaint = false
  private gathering?: ReturnType<typeof setTimeout>
  private kept: Uint8Array
  private keptEnd = 0
  private ticks = 0
  // Something has happened since the clock last found nothing to do: two thousand idle terminals must not cost a look each.
  private restless = true
  private pressure = new Backpressure()
  private moved = false
  private paintedAt = Number.NEGATIVE_INFINITY
  private readonly link: UpstreamLink
  private readonly resizes: Resizes

  constructor(private readonly deps: { openUpstream: OpenUpstream; find: FindTerminal; logger: Logger; memory: TerminalMemory; onEnd: () => void }) {
    this.kept = deps.memory.recall()
    this.ring = new ReplayRing(this.kept)
    this.link = new UpstreamLink(deps, {
      output: (bytes) => this.output(bytes),
      connected: () => this.connected(),
      taken: () => this.acknowledge(),
      lost: (why, tries) => this.lost(why, tries),
    })
    this.resizes = new Resizes(this.link)
  }

  /** True while an upstream is connected. */
  get live(): boolean {
    return this.link.live
  }

  /** Adds a viewer: status, then what it misses, then live. All of it happens at once, so that no byte falls between. */
  attach(viewer: Viewer, { resume }: Hello): void {
    this.restless = true
    const known = resume?.stream === this.stream && resume.offset <= this.ring.end
    this.viewers.add(viewer)
    if (known) viewer.begin(resume.offset, this.status, false)
    else viewer.beginAtRing(this.ring, this.status)
    // A screen that begins in the middle of a program's life is painted by the program itself.
    this.repaint ||= !known && this.ring.start > 0
    this.catchUp(viewer)
    this.resizes.apply(viewer.size)
    this.tell(viewer)
    this.balance()
    this.open()
  }

  detach(viewer: Viewer): void {
    if (!this.viewers.delete(viewer)) return
    this.balance()
    this.tell()
  }

  receive(viewer: Viewer, frame: ClientFrame): void {
    this.restless = true
    switch (frame.kind) {
      case 'input':
        this.input(viewer, frame.bytes)
        break
      case 'resize':
        viewer.size = frame.size
        this.resizes.apply(frame.size)
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
    this.restless = true
    viewer.look()
    this.catchUp(viewer)
    this.balance()
  }

  /** The clock, some times a second: sees who moves, and lets nobody wait for those who do not. */
  tick(): void {
    if (!this.restless) return
    for (const viewer of this.viewers) {
      viewer.pace /= 2
      if (viewer.blocked) viewer.look()
    }
    const came = this.pressure.tick(this.ring.end)
    // In a flood a repaint is out of sight at once, and it would disturb those who see everything.
    if (this.repaint && came < CALM_BYTES_PER_TICK) {
      this.repaint = false
      this.paintedAt = performance.now()
      this.link.redraw()
    }
    if (++this.ticks % KEEP_TICKS === 0 && this.keptEnd !== this.ring.end) this.keepModes()
    this.acknowledge()
    if (this.link.held) this.balance()
    const atRest = came === 0 && !this.repaint && !this.link.held && this.keptEnd === this.ring.end
    this.restless = !(atRest && [...this.viewers].every((viewer) => viewer.isAtRest))
  }

  /** Whether the program wrote something by itself since the last time that this was asked. */
  takeMoved(): boolean {
    const { moved } = this
    this.moved = false
    return moved
  }

  /** Shows a page that its connection lives. */
  beat(viewer: Viewer): void {
    viewer.beat(this.status)
  }

  /** Connects to the upstream unless that is done or under way. */
  open(): void {
    this.link.open()
  }

  /** The sandbox is new: an empty screen and another stream for everybody. */
  renew(find: FindTerminal): void {
    this.restless = true
    this.ring = new ReplayRing()
    this.keptEnd = 0
    this.keepModes()
    this.stream = randomToken(9)
    this.pressure = new Backpressure()
    this.handed = 0
    this.repaint = false
    this.interrupted = false
    this.link.renew(find)
    for (const viewer of this.viewers) viewer.begin(0, this.status, true)
  }

  /** Lets the upstream go for good; the viewers are closed by whoever ends it. */
  end(): void {
    this.closed = true
    this.resizes.end()
    clearTimeout(this.gathering)
    this.keepModes()
    this.link.close()
  }

  private keepModes(): void {
    this.keptEnd = this.ring.end
    const modes = this.ring.modesAtEnd()
    if (Buffer.compare(modes, this.kept) === 0) return
    this.kept = modes
    this.deps.memory.keep(modes)
  }

  private connected(): void {
    this.restless = true
    // What was written while the connection was gone is unknown: resuming across that gap would hide it.
    if (this.interrupted) this.stream = randomToken(9)
    this.interrupted = false
    this.pressure.connected(this.ring.end)
    this.paintedAt = performance.now()
    this.tell()
  }

  private lost(why: 'ended' | 'lost' | 'absent', tries: number): boolean {
    this.interrupted ||= why !== 'absent'
    if (this.closed) return false
    if (this.viewers.size > 0) {
      if (why !== 'absent') this.tell()
      return true
    }
    if (why === 'lost' || (why === 'absent' && this.interrupted && tries < UNSEEN_TRIES)) return true
    this.end()
    this.deps.onEnd()
    return false
  }

  private output(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += MAX_PART_BYTES) this.part(bytes.subarray(at, at + MAX_PART_BYTES))
  }

  private part(bytes: Uint8Array): void {
    this.restless = true
    this.ring.append(bytes)
    this.moved ||= performance.now() - Math.max(this.paintedAt, this.resizes.sentAt) > REPAINT_MS
    const gather = bytes.byteLength >= FLOOD_CHUNK_BYTES && this.ring.end - this.handed < GATHER_BYTES && performance.now() - this.handedAt < GATHER_MS
    if (gather) this.gathering ??= setTimeout(() => this.handOn(), GATHER_MS)
    else this.handOn()
  }

  // All viewers share one frame, but for those who took a part of it from the ring meanwhile.
  private handOn(): void {
    clearTimeout(this.gathering)
    this.gathering = undefined
    this.handedAt = performance.now()
    const from = this.handed
    this.handed = this.ring.end
    const behind: Viewer[] = []
    let frame: Uint8Array | undefined
    for (const viewer of this.viewers) {
      if (viewer.cursor !== from || from === this.handed) behind.push(viewer)
      else if (!viewer.blocked) {
        frame ??= this.ring.frame(from)
        viewer.live(frame)
      }
    }
    // After the others: each of their frames takes the place of the shared one.
    for (const viewer of behind) this.catchUp(viewer)
    this.balance()
  }

  private catchUp(viewer: Viewer): void {
    if (viewer.catchUp(this.ring, this.status)) this.repaint = true
  }

  private input(viewer: Viewer, bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return
    if (this.link.queuedBytes + bytes.byteLength > MAX_INPUT_BYTES) return viewer.transport.close(CLOSE.policy, 'the program does not read its input')
    this.resizes.apply(viewer.size)
    this.link.write(bytes)
    viewer.noteTyped(bytes.byteLength)
    this.acknowledge()
    this.pressure.typed(this.ring.end, bytes.byteLength)
    this.balance()
  }

  private acknowledge(): void {
    for (const viewer of this.viewers) if (viewer.waitsForWord && this.link.queuedBytes <= CALM_INPUT_BYTES) viewer.acknowledge(this.status)
  }

  private balance(): void {
    if (this.pressure.holds(this.viewers, this.ring.end)) this.link.hold()
    else this.link.release()
  }

  private tell(except?: Viewer): void {
    for (const viewer of this.viewers) if (viewer !== except) viewer.tell(this.status)
  }

  private get status(): TerminalStatus {
    return { stream: this.stream, end: this.ring.end, viewers: this.viewers.size, state: this.closed ? 'ended' : this.link.live ? 'live' : 'connecting' }
  }
}
