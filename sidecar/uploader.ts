// Sends what the journal says is due: few at a time, in constant memory, again and again until it is answered.
import { closeSync, readSync } from 'node:fs'
import { INTERNAL_PATHS, PERMANENT_STATUSES, REVOKED_STATUSES, SHA256_HEADER } from '../src/internal/contract.ts'
import type { Journal, Work } from './journal.ts'
import { type OpenedFile, openBeneath, unchanged } from './open.ts'

const MAX_SMALL = 16
const MAX_LARGE = 2
const SMALL_BYTES = 256 * 1024
const CHUNK_BYTES = 256 * 1024
const MAX_WAIT_MS = 30_000
const ANSWER_MS = 30_000
const FULL_WAIT_MS = 60_000

interface Options {
  root: string
  internalUrl: string
  token: string
  journal: Journal
  log: (message: string, fields: Record<string, unknown>) => void
  /** The token is no longer good: this sidecar has no business any more. */
  onRevoked: () => void
}

/** Mirrors the folder to the server. */
export class Uploader {
  private readonly active = new Set<string>()
  private large = 0
  private timer?: ReturnType<typeof setTimeout>
  private stopped = false
  private readonly buffer = new Uint8Array(CHUNK_BYTES)

  constructor(private readonly options: Options) {}

  /** Looks for due work now. */
  wake(): void {
    if (this.stopped) return
    clearTimeout(this.timer)
    this.timer = undefined
    const room = MAX_SMALL - this.active.size
    if (room <= 0) return
    const work = this.options.journal.due(room + this.active.size).filter(({ path }) => !this.active.has(path))
    const chosen = work.slice(0, room)
    if (chosen.length > 0) {
      this.options.journal.sending(chosen.map(({ path }) => path))
      for (const item of chosen) void this.run(item)
    }
    const wait = this.options.journal.untilNext()
    if (wait !== undefined && this.active.size < MAX_SMALL) this.timer = setTimeout(() => this.wake(), Math.max(10, wait))
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private async run(work: Work): Promise<void> {
    this.active.add(work.path)
    try {
      await this.send(work)
    } catch (error) {
      this.postpone(work, { error: String(error) })
    } finally {
      this.active.delete(work.path)
      this.wake()
    }
  }

  private async send(work: Work): Promise<void> {
    const file = openBeneath(this.options.root, work.path)
    if (!file) return this.remove(work)
    try {
      const isLarge = file.size > SMALL_BYTES
      if (isLarge && this.large >= MAX_LARGE) return this.options.journal.postpone(work.path, 100)
      this.large += isLarge ? 1 : 0
      await this.upload(work, file).finally(() => {
        this.large -= isLarge ? 1 : 0
      })
    } finally {
      closeSync(file.fd)
    }
  }

  private async remove(work: Work): Promise<void> {
    const answer = await this.ask(INTERNAL_PATHS.remove, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ path: work.path }) })
    if (answer.ok) this.options.journal.settled(work.path, null)
    else this.refused(work, answer)
  }

  private async upload(work: Work, file: OpenedFile): Promise<void> {
    const small = file.size <= SMALL_BYTES ? readWhole(file) : undefined
    const sha256 = small ? new Bun.CryptoHasher('sha256').update(small).digest('hex') : await this.hash(file)
    if (!unchanged(file) || (small && small.byteLength !== file.size)) return this.options.journal.postpone(work.path, 50)
    const headers = { 'content-type': 'application/octet-stream', [SHA256_HEADER]: sha256, 'content-length': String(file.size) }
    const body = small ?? streamOf(file)
    const answer = await this.ask(`${INTERNAL_PATHS.upload}?path=${encodeURIComponent(work.path)}`, { method: 'POST', headers, body }, file.size)
    if (answer.ok) this.options.journal.settled(work.path, file.identity)
    else if (answer.status === 422 && !unchanged(file)) this.options.journal.postpone(work.path, 50)
    else this.refused(work, answer)
  }

  private async hash(file: OpenedFile): Promise<string> {
    const hasher = new Bun.CryptoHasher('sha256')
    for (let at = 0; at < file.size; ) {
      const read = readSync(file.fd, this.buffer, 0, Math.min(CHUNK_BYTES, file.size - at), at)
      if (read === 0) break
      hasher.update(this.buffer.subarray(0, read))
      at += read
      // Other files and the hooks' socket get their turn between the pieces.
      if (at % (16 * CHUNK_BYTES) === 0) await Bun.sleep(0)
    }
    return hasher.digest('hex')
  }

  private async ask(path: string, init: RequestInit, size = 0): Promise<Response> {
    const limit = AbortSignal.timeout(ANSWER_MS + size / 1000)
    const answer = await fetch(this.options.internalUrl + path, {
      ...init,
      signal: limit,
      headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${this.options.token}` },
    })
    await answer.arrayBuffer()
    return answer
  }

  private refused(work: Work, answer: Response): void {
    const { journal, log } = this.options
    if (REVOKED_STATUSES.includes(answer.status)) {
      this.stop()
      return this.options.onRevoked()
    }
    // No room may become room: what does not fit is tried again, though not soon.
    if (answer.status === 413) return journal.postpone(work.path, FULL_WAIT_MS)
    if (PERMANENT_STATUSES.includes(answer.status)) {
      log('the server does not take this file', { path: work.path, status: answer.status })
      return journal.giveUp(work.path, work.seen)
    }
    this.postpone(work, { status: answer.status }, Number(answer.headers.get('retry-after') ?? 0) * 1000)
  }

  private postpone(work: Work, why: Record<string, unknown>, atLeastMs = 0): void {
    const wait = Math.max(atLeastMs, Math.min(MAX_WAIT_MS, 100 * 2 ** Math.min(work.tries, 10))) * (0.75 + Math.random() / 2)
    if (work.tries % 5 === 0) this.options.log('a file waits to be sent', { path: work.path, ...why, waitMs: Math.round(wait) })
    this.options.journal.postpone(work.path, wait)
  }
}

function readWhole({ fd, size }: OpenedFile): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  let at = 0
  while (at < size) {
    const read = readSync(fd, bytes, at, size - at, at)
    if (read === 0) break
    at += read
  }
  return bytes.subarray(0, at)
}

// Pulled by the connection as it has room, so a file of any size needs one chunk of memory.
function streamOf({ fd, size }: OpenedFile): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream(
    {
      pull(controller) {
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, size - at))
        const read = chunk.byteLength === 0 ? 0 : readSync(fd, chunk, 0, chunk.byteLength, at)
        at += read
        if (read > 0) controller.enqueue(chunk.subarray(0, read))
        if (at >= size) controller.close()
        else if (read === 0) controller.error(new Error('the file became shorter'))
      },
    },
    { highWaterMark: 1 },
  )
}
