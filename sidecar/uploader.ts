// Sends what the journal says is due: few at a time, in constant memory, again and again until it is answered.
import { closeSync, readSync } from 'node:fs'
import { PACK_CHANGES, PERMANENT_STATUSES, REVOKED_STATUSES } from '../src/internal/contract.ts'
import type { Logger } from '../src/lib/logger.ts'
import { backoffMs, Gate } from './gate.ts'
import { type Identity, type Journal, LARGE_BYTES, type Work } from './journal.ts'
import { isUnchanged, type OpenedFile, openFile, RootUnreachable } from './open.ts'
import { type Packed, packed, packsOf, readWhole } from './packs.ts'
import { MAX_QUIET_MS, QUIET_MS } from './quiet.ts'
import { type Answer, type ServerLink, Unreachable } from './server-link.ts'
import type { Warnings } from './warnings.ts'

// Requests under way, each with a pack of small files or one large file.
const MAX_SMALL = 3
const MAX_LARGE = 4
const CHUNK_BYTES = 256 * 1024
// A file may claim terabytes that are nowhere: from here on the server is asked before all of it is read.
const ASK_FIRST_BYTES = 64 * 1024 ** 2
const JOURNAL_WAIT_MS = 1000
const ROOT_WAIT_MS = 250
const FULL_WAIT_MS = 60_000
const MAX_FULL_WAIT_MS = 15 * 60_000
// While there is no space, one file after the other asks whether there is some again.
const PROBE_MS = 5000
const RETRY_ALL_EVERY_MS = 1000
/** Failures of one path: the server is well and others go on. */
const OF_ONE_PATH = new Set([409, 500, 507])

interface Options {
  root: string
  journal: Journal
  server: ServerLink
  log: Logger
  warnings: Warnings
  /** Looks at a path once more, as it may have changed since it was opened. */
  lookAt: (path: string) => void
  /** The token is no longer good: this sidecar has no business any more. */
  onRevoked: () => void
}

/** Mirrors the folder to the server. */
export class Uploader {
  /** How many requests have ended. */
  ended = 0
  private readonly gate = new Gate()
  private readonly flying = { small: 0, large: 0 }
  private timer?: ReturnType<typeof setTimeout>
  private stopped = false
  private readonly buffer = new Uint8Array(CHUNK_BYTES)
  // What happened and could not be journaled, as when the disk is full.
  private unrecorded: (() => void)[] = []
  private rootAwayUntil = 0
  private probeAt = 0
  private retryAllAt = 0

  constructor(private readonly options: Options) {}

  /** Sends what is due now, and sees to the rest in its time. */
  wake(): void {
    if (this.stopped) return
    clearTimeout(this.timer)
    this.timer = undefined
    try {
      for (let act = this.unrecorded[0]; act; act = this.unrecorded[0]) {
        act()
        this.unrecorded.shift()
      }
      this.begin()
      this.sleep()
    } catch (error) {
      this.options.warnings.warn('the journal cannot be written now', { error: String(error) })
      this.timer = setTimeout(() => this.wake(), JOURNAL_WAIT_MS)
    }
  }

  /** Ends without finishing; what is under way counts as unsent. */
  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  /** Resolves when all is sent that can be sent before `deadline` (performance.now); at once when the server is away. */
  async drain(deadline: number): Promise<void> {
    this.options.journal.hurry()
    this.wake()
    while (this.options.journal.isBusy && this.gate.isOpen && !this.stopped && performance.now() < deadline) await Bun.sleep(20)
  }

  private begin(): void {
    const { journal } = this.options
    const underWay = this.flying.small + this.flying.large
    const room = this.gate.room(MAX_SMALL + MAX_LARGE) - underWay
    if (room <= 0 || this.rootWaitMs > 0) return
    // As long as it is not known whether the server can be asked, it is asked for little.
    const packLimit = this.gate.isOpen ? PACK_CHANGES : 1
    const packs = Math.min(room, MAX_SMALL - this.flying.small)
    const small = packsOf(journal.due(packs * packLimit, 0), packLimit).slice(0, packs)
    const large = journal.due(0, Math.min(room - small.length, MAX_LARGE - this.flying.large)).map((work) => [work])
    if (small.length + large.length === 0) return
    journal.sending([...small, ...large].flat().map(({ path }) => path))
    for (const pack of small) void this.run(pack, 'small')
    for (const pack of large) void this.run(pack, 'large')
  }

  private sleep(): void {
    const { journal } = this.options
    const waits = [this.flying.small < MAX_SMALL ? journal.untilNext('small') : undefined, this.flying.large < MAX_LARGE ? journal.untilNext('large') : undefined].filter(
      (wait) => wait !== undefined,
    )
    const wait = Math.max(this.gate.waitMs, this.rootWaitMs, Math.min(...waits))
    // With a try under way after a failure, its end wakes us.
    if (!Number.isFinite(wait) || (this.gate.room(2) === 1 && this.flying.small + this.flying.large > 0)) return
    this.timer = setTimeout(() => this.wake(), Math.ceil(wait) + 1)
  }

  private async run(pack: Work[], size: 'small' | 'large'): Promise<void> {
    this.flying[size]++
    const [only] = pack
    if (only && pack.length === 1) await this.attempt(only, () => this.send(only))
    else await this.sendPack(pack)
    this.flying[size]--
    this.ended++
    this.wake()
  }

  /** Does something for a path; what goes wrong is noted for that path. */
  private async attempt<T>(work: Work, act: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await act()
    } catch (error) {
      if (error instanceof Unreachable) this.fail(work, { error: error.message })
      else if (error instanceof RootUnreachable) this.waitForRoot(work)
      else this.retry(work, { error: String(error) })
    }
    return undefined
  }

  private async sendPack(pack: Work[]): Promise<void> {
    const { root } = this.options
    const ready: Packed[] = []
    const alone: Work[] = []
    for (const work of pack) {
      await this.attempt(work, () => {
        const found = packed(root, work)
        if (found === 'grown') this.lookAgain(work)
        else if (found === 'unclear') alone.push(work)
        else ready.push(found)
      })
    }
    if (ready.length > 0) alone.push(...(await this.ship(ready)))
    for (const work of alone) await this.attempt(work, () => this.send(work))
  }

  /** Sends what is ready. Returns what has to go alone, because the server will not take this pack. */
  private async ship(ready: Packed[]): Promise<Work[]> {
    const { server, lookAt } = this.options
    const sent = server.pack(ready)
    const alone: Work[] = []
    for (const [at, { work, identity }] of ready.entries()) {
      await this.attempt(work, async () => {
        const { whole, each } = await sent
        const answer = each[at] ?? whole
        if (!whole.ok && PERMANENT_STATUSES.includes(whole.status)) return void alone.push(work)
        if (answer.ok) this.settled(work, identity)
        else this.declined(work, answer)
        lookAt(work.path)
      })
    }
    return alone
  }

  /** Not now: it is another file than it was when it was seen. */
  private lookAgain({ path }: Work): void {
    this.record((journal) => journal.postpone(path, QUIET_MS, false))
    this.options.lookAt(path)
  }

  private async send(work: Work): Promise<void> {
    const { root, server, lookAt } = this.options
    const file = openFile(root, work.path)
    if ('fd' in file) {
      await this.upload(work, file).finally(() => closeSync(file.fd))
    } else if (file.kind === 'unknown') {
      return this.retry(work, { error: String(file.error) })
    } else if (file.kind === 'several' && work.seen !== null) {
      this.record((journal) => journal.refused(work.path, work.seen))
    } else {
      const answer = await server.remove(work.path)
      if (answer.ok) this.settled(work, null)
      else return this.declined(work, answer)
    }
    lookAt(work.path)
  }

  private async upload(work: Work, file: OpenedFile): Promise<void> {
    const { journal, server } = this.options
    const room = file.size > ASK_FIRST_BYTES ? await server.room(work.path, file.size) : undefined
    if (room && !room.ok) return this.declined(work, room)
    const bytes = file.size <= LARGE_BYTES ? readWhole(file) : undefined
    const sha256 = bytes ? new Bun.CryptoHasher('sha256').update(bytes).digest('hex') : await this.hash(file)
    const isSteady = isUnchanged(file)
    // What changes while it is read waits for a quiet moment, but not for ever: then the state that was read is sent.
    const isPatient = journal.now() - work.waitingSince < MAX_QUIET_MS
    if (sha256 === undefined || (bytes && bytes.byteLength < file.size) || (!isSteady && isPatient)) return this.record(() => journal.postpone(work.path, QUIET_MS, false))
    const answer = await server.upload(work.path, file, sha256, bytes)
    if (answer.ok) this.settled(work, isSteady ? file.identity : 'unsure')
    else this.declined(work, answer)
  }

  private settled({ path, tries }: Work, sent: Identity | null | 'unsure'): void {
    this.gate.answered()
    this.record((journal) => journal.settled(path, sent))
    // What held it up, such as a lack of space, holds up the others no more.
    if (tries === 0 || performance.now() < this.retryAllAt) return
    this.retryAllAt = performance.now() + RETRY_ALL_EVERY_MS
    this.record((journal) => journal.retryAll())
  }

  /** The hash of the whole file; undefined when it became shorter. */
  private async hash(file: OpenedFile): Promise<string | undefined> {
    const hasher = new Bun.CryptoHasher('sha256')
    for (let at = 0; at < file.size; ) {
      const read = readSync(file.fd, this.buffer, 0, Math.min(CHUNK_BYTES, file.size - at), at)
      if (read === 0) return undefined
      hasher.update(this.buffer.subarray(0, read))
      at += read
      // Other files and the hooks' socket get their turn between the pieces.
      if (at % (16 * CHUNK_BYTES) === 0) await Bun.sleep(0)
    }
    return hasher.digest('hex')
  }

  private declined(work: Work, answer: Answer): void {
    const { status, code } = answer
    if (this.stopped) return
    if (REVOKED_STATUSES.includes(status)) {
      this.stop()
      return this.options.onRevoked()
    }
    if (!PERMANENT_STATUSES.includes(status) && !OF_ONE_PATH.has(status)) return this.fail(work, { status, code }, answer.retryAfterMs)
    this.gate.answered()
    // The file may have changed between the hash and the send; room may be made by the person.
    if (code === 'checksum_mismatch' || OF_ONE_PATH.has(status)) return this.retry(work, { status, code }, answer.retryAfterMs)
    if (code === 'quota_exceeded') return this.waitForSpace(work, { status, code })
    this.options.log.warn('the server does not take this file; it waits until it changes', { path: work.path, status, code })
    this.record((journal) => journal.refused(work.path, work.seen))
  }

  private waitForSpace(work: Work, why: Record<string, unknown>): void {
    this.retry(work, why, Math.min(MAX_FULL_WAIT_MS, FULL_WAIT_MS * 2 ** work.tries))
    if (performance.now() < this.probeAt) return
    this.probeAt = performance.now() + PROBE_MS
    this.record((journal) => journal.probe(PROBE_MS))
  }

  /** Later, this path alone. */
  private retry(work: Work, why: Record<string, unknown>, atLeastMs = 0): void {
    const waitMs = Math.round(Math.max(atLeastMs, backoffMs(work.tries)))
    this.options.warnings.warn('a file waits to be sent', { path: work.path, ...why, waitMs })
    this.record((journal) => journal.postpone(work.path, waitMs, true))
  }

  /** Later, everything: the server cannot be asked. */
  private fail(work: Work, why: Record<string, unknown>, atLeastMs = 0): void {
    if (this.stopped) return
    const waitMs = this.gate.failed(atLeastMs)
    if (waitMs !== undefined) this.options.log.warn('the server cannot be reached; files wait', { ...why, waitMs: Math.round(waitMs) })
    // Behind the others, so that the next try is made with another file.
    this.record((journal) => journal.postpone(work.path, 0, false))
  }

  // The watcher makes the folder again or waits for it, and says so.
  private waitForRoot(work: Work): void {
    this.rootAwayUntil = performance.now() + ROOT_WAIT_MS
    this.record((journal) => journal.postpone(work.path, 0, false))
  }

  private get rootWaitMs(): number {
    return Math.max(0, this.rootAwayUntil - performance.now())
  }

  private record(act: (journal: Journal) => void): void {
    const now = () => act(this.options.journal)
    try {
      now()
    } catch {
      // @NOTE at most one for each path under way, so few; `wake` tries again and says so.
      this.unrecorded.push(now)
    }
  }
}
