// The Unix socket that the CLI's hooks speak to, and what becomes of their notices.
import { rmSync } from 'node:fs'
import { type ActivityNotice, type HookNotice, REVOKED_STATUSES } from '../src/internal/contract.ts'
import type { Logger } from '../src/lib/logger.ts'
import { backoffMs } from './gate.ts'
import type { ServerLink } from './server-link.ts'

const MAX_LINE_BYTES = 64 * 1024
const MAX_CONNECTIONS = 32
const LIFE_MS = 2000
const DETAIL_CHARS = 200
// A sandbox may tell a thousand states a second; the page needs a few.
const PAUSE_MS = 200
const SOCKET_UMASK = 0o117

interface Peer {
  parts: Buffer[]
  bytes: number
  deadline: ReturnType<typeof setTimeout>
}

interface Options {
  socket: string
  server: ServerLink
  log: Logger
}

/** Listens for notices, one JSON line a connection, and tells the server what the CLI does: only the newest state counts. */
export class Relay {
  private readonly listener?: Bun.UnixSocketListener<Peer | undefined>
  private readonly open = new Set<Bun.Socket<Peer | undefined>>()
  private latest?: ActivityNotice
  private sending = false
  private disposed = false

  /** A socket that cannot be made costs the notices, never the mirror. */
  constructor(private readonly options: Options) {
    try {
      this.listener = this.listen()
    } catch (error) {
      options.log.error('hooks cannot be heard', { socket: options.socket, error: String(error) })
    }
  }

  [Symbol.dispose](): void {
    this.disposed = true
    this.listener?.stop(true)
  }

  private listen(): Bun.UnixSocketListener<Peer | undefined> {
    // The sandbox may write to this folder: nothing in it is followed, and the mode is right from the first moment.
    rmSync(this.options.socket, { force: true })
    const umask = process.umask(SOCKET_UMASK)
    try {
      return Bun.listen<Peer | undefined>({
        unix: this.options.socket,
        socket: {
          open: (socket) => this.greet(socket),
          data: (socket, bytes) => this.read(socket, bytes),
          close: (socket) => this.leave(socket),
          error: (socket) => void socket.terminate(),
        },
      })
    } finally {
      process.umask(umask)
    }
  }

  private greet(socket: Bun.Socket<Peer | undefined>): void {
    if (this.open.size >= MAX_CONNECTIONS) return void socket.terminate()
    this.open.add(socket)
    socket.data = { parts: [], bytes: 0, deadline: setTimeout(() => socket.terminate(), LIFE_MS) }
  }

  private read(socket: Bun.Socket<Peer | undefined>, bytes: Buffer): void {
    const peer = socket.data
    if (!peer) return
    const end = bytes.indexOf(10)
    peer.parts.push(Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)))
    peer.bytes += bytes.byteLength
    if (end < 0 && peer.bytes <= MAX_LINE_BYTES) return
    if (end >= 0 && peer.bytes <= MAX_LINE_BYTES + 1) this.receive(Buffer.concat(peer.parts).toString('utf8'))
    this.leave(socket)
    socket.end()
  }

  private leave(socket: Bun.Socket<Peer | undefined>): void {
    clearTimeout(socket.data?.deadline)
    socket.data = undefined
    this.open.delete(socket)
  }

  private receive(line: string): void {
    const activity = activityOf(line)
    if (!activity) return
    this.latest = activity
    if (!this.sending) void this.send()
  }

  // One request at a time. What fails is tried again unless a newer state came.
  private async send(): Promise<void> {
    this.sending = true
    for (let tries = 0; this.latest && !this.disposed; ) {
      const notice = this.latest
      const answer = await this.options.server.activity(notice).catch(() => undefined)
      const isDone = answer && (answer.ok || (answer.status >= 400 && answer.status < 429) || REVOKED_STATUSES.includes(answer.status))
      if (this.latest === notice && isDone) this.latest = undefined
      if (isDone) {
        tries = 0
        await Bun.sleep(PAUSE_MS)
      } else await Bun.sleep(Math.max(answer?.retryAfterMs ?? 0, backoffMs(tries++)))
    }
    this.sending = false
  }
}

/** What an event of the hooks says about the CLI; undefined for events that say nothing, and for nonsense. */
export function activityOf(line: string): ActivityNotice | undefined {
  let notice: Partial<HookNotice> | null
  try {
    notice = JSON.parse(line) as Partial<HookNotice> | null
  } catch {
    return undefined
  }
  const detail = typeof notice?.detail === 'string' ? notice.detail.slice(0, DETAIL_CHARS).toWellFormed() : undefined
  switch (notice?.event) {
    case 'UserPromptSubmit':
    case 'PreToolUse':
    case 'PostToolUse':
      return { state: 'working', detail }
    case 'Notification':
    case 'PermissionRequest':
      return { state: 'needs-you', detail }
    case 'SessionStart':
    case 'Stop':
    case 'SessionEnd':
      return { state: 'waiting' }
    default:
      return undefined
  }
}
