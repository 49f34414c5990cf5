// The sidecar's requests to the server, each with the sandbox token and a deadline.
import { fstatSync, readSync } from 'node:fs'
import { type ActivityNotice, type ExposureNotice, INTERNAL_PATHS, type PackAnswer, type PackEntry, type PackOutcome, SHA256_HEADER } from '../src/internal/contract.ts'
import { free } from '../src/lib/free.ts'
import type { OpenedFile } from './open.ts'

const DEADLINE_MS = 30_000
const PRESENCE_MS = 2000
// The slowest upload that is waited for.
const SLOWEST_BYTES_PER_MS = 256
const CHECK_MS = 250
const MAX_RETRY_AFTER_S = 600
const CHUNK_BYTES = 256 * 1024

/** What the server said. `code` is the error's machine word, '' without one. */
export interface Answer {
  ok: boolean
  status: number
  code: string
  retryAfterMs: number
}

/** What goes into a pack. */
interface SmallChange {
  entry: PackEntry
  bytes?: Uint8Array<ArrayBuffer>
}

interface Request {
  path: string
  headers: Record<string, string>
  body: BodyInit
}

interface Pending {
  abort: AbortController
  deadline: number
  /** Being sent by the kernel. */
  file?: OpenedFile
}

/** There was no answer: the network, the server or time failed. */
export class Unreachable extends Error {}

/** The file lost bytes while it was sent. */
export class FileCut extends Error {}

/** Speaks to one server as one sandbox. Calls throw Unreachable without an answer. */
export class ServerLink {
  private readonly pending = new Set<Pending>()
  private checking?: ReturnType<typeof setInterval>

  constructor(private readonly options: { internalUrl: string; token: string }) {}

  /** Sends one file; `bytes` when they are in memory, else from the open file in constant memory. Throws FileCut too. */
  async upload(path: string, file: OpenedFile, sha256: string, bytes?: Uint8Array<ArrayBuffer>): Promise<Answer> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(file.size), [SHA256_HEADER]: sha256 }
    const request = { path: `${INTERNAL_PATHS.upload}?path=${encodeURIComponent(path)}`, headers, body: bytes ?? this.bodyOf(file) }
    return this.ask(request, DEADLINE_MS + file.size / SLOWEST_BYTES_PER_MS, bytes ? undefined : file)
  }

  /**
   * Sends many small changes in one request, and takes their bytes. `each` has an answer for every change when `whole` is ok,
   * and none otherwise.
   */
  async pack(changes: readonly SmallChange[]): Promise<{ whole: Answer; each: Answer[] }> {
    const body = packOf(changes)
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.byteLength) }
    const { text, ...whole } = await this.ask({ path: INTERNAL_PATHS.pack, headers, body }, DEADLINE_MS + body.byteLength / SLOWEST_BYTES_PER_MS)
    free(body)
    const each = whole.ok ? outcomesIn(text).map(answerOf) : []
    if (whole.ok && each.length !== changes.length) throw new Unreachable('the answer has not one outcome for each change')
    return { whole, each }
  }

  /** Removes one file; harmless when it is not there. */
  async remove(path: string): Promise<Answer> {
    return this.askJson(INTERNAL_PATHS.remove, { path })
  }

  /** Asks whether a file of this size may be sent at all. */
  async room(path: string, size: number): Promise<Answer> {
    return this.askJson(INTERNAL_PATHS.room, { path, size })
  }

  /** Tells what the CLI does. */
  async activity(notice: ActivityNotice): Promise<Answer> {
    return this.askJson(INTERNAL_PATHS.activity, notice)
  }

  /** Tells whether the sandbox's network is closed. */
  async exposure(notice: ExposureNotice): Promise<Answer> {
    return this.askJson(INTERNAL_PATHS.exposure, notice)
  }

  /** Whether the server is there at all. Never throws. */
  async answers(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.options.internalUrl}/health`, { signal: AbortSignal.timeout(PRESENCE_MS), redirect: 'manual' })
      await answer.text()
      return answer.ok
    } catch {
      return false
    }
  }

  private askJson(path: string, body: unknown): Promise<Answer> {
    return this.ask({ path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }, DEADLINE_MS)
  }

  private async ask({ path, headers, body }: Request, limitMs: number, file?: OpenedFile): Promise<Answer & { text: string }> {
    const { internalUrl, token } = this.options
    const abort = new AbortController()
    const pending: Pending = { abort, deadline: performance.now() + limitMs, file }
    this.watch(pending)
    try {
      const answer = await fetch(internalUrl + path, { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}` }, body, signal: abort.signal, redirect: 'manual' })
      const text = await answer.text()
      const retryAfterMs = msOf(Number(answer.headers.get('retry-after') ?? 0))
      return { ok: answer.ok, status: answer.status, code: answer.ok ? '' : codeOf(text), retryAfterMs, text }
    } catch (cause) {
      if (cause instanceof FileCut || abort.signal.reason instanceof FileCut) throw new FileCut('the file became shorter', { cause })
      throw new Unreachable(String(abort.signal.reason ?? cause), { cause })
    } finally {
      this.pending.delete(pending)
    }
  }

  // One timer for all: a timer for each request outlives it and costs more memory than the files.
  private watch(pending: Pending): void {
    this.pending.add(pending)
    this.checking ??= setInterval(() => {
      for (const { abort, deadline, file } of this.pending) {
        if (performance.now() > deadline) abort.abort(new Error('no answer in time'))
        // The kernel sends from the file, and would wait for bytes that were cut off meanwhile.
        else if (file && fstatSync(file.fd).size < file.size) abort.abort(new FileCut('the file became shorter'))
      }
      if (this.pending.size > 0) return
      clearInterval(this.checking)
      this.checking = undefined
    }, CHECK_MS)
  }

  // Plain http lets the kernel copy from file to socket. Encrypted, the same body would be read into memory as a whole.
  private bodyOf(file: OpenedFile): BodyInit {
    return this.options.internalUrl.startsWith('http:') ? Bun.file(file.fd).slice(0, file.size) : streamOf(file)
  }
}

function msOf(retryAfterS: number): number {
  return Number.isFinite(retryAfterS) ? Math.min(retryAfterS, MAX_RETRY_AFTER_S) * 1000 : 0
}

/** A line that tells what is in it, then the bytes of the files. */
function packOf(changes: readonly SmallChange[]): Uint8Array<ArrayBuffer> {
  const line = new TextEncoder().encode(`${JSON.stringify(changes.map(({ entry }) => entry))}\n`)
  const parts = [line, ...changes.flatMap(({ bytes }) => bytes ?? [])]
  const body = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    body.set(part, at)
    at += part.byteLength
    free(part)
  }
  return body
}

function outcomesIn(text: string): PackOutcome[] {
  try {
    const { outcomes } = JSON.parse(text) as Partial<PackAnswer>
    return Array.isArray(outcomes) ? outcomes : []
  } catch {
    return []
  }
}

function answerOf({ status, code = '', retry_after_s = 0 }: PackOutcome): Answer {
  return { ok: status >= 200 && status < 300, status, code, retryAfterMs: msOf(retry_after_s) }
}

function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { error?: { code?: unknown } }).error?.code ?? '')
  } catch {
    return ''
  }
}

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
        else if (read === 0) controller.error(new FileCut('the file became shorter'))
      },
    },
    { highWaterMark: 0 },
  )
}
