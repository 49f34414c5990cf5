// The Unix socket that the CLI's hooks speak to, and what becomes of their notices.
import { chmodSync, rmSync } from 'node:fs'
import { type ActivityNotice, type HookNotice, INTERNAL_PATHS } from '../src/internal/contract.ts'

const MAX_BYTES = 64 * 1024
const MAX_CONNECTIONS = 32
const LIFE_MS = 2000

type Open = { text: string; timer: ReturnType<typeof setTimeout> }

/** Listens for notices and tells the server what the CLI does; only the newest state is worth sending. */
export class Relay {
  private readonly server: Bun.UnixSocketListener<Open | undefined>
  private connections = 0
  private latest?: ActivityNotice
  private sending = false

  constructor(private readonly options: { socket: string; internalUrl: string; token: string }) {
    rmSync(options.socket, { force: true })
    this.server = Bun.listen<Open | undefined>({
      unix: options.socket,
      socket: {
        open: (socket) => {
          if (++this.connections > MAX_CONNECTIONS) return void socket.end()
          socket.data = { text: '', timer: setTimeout(() => socket.end(), LIFE_MS) }
        },
        data: (socket, bytes) => {
          if (!socket.data) return
          socket.data.text += bytes.toString('utf8')
          if (socket.data.text.length > MAX_BYTES) return void socket.end()
          const end = socket.data.text.indexOf('\n')
          if (end < 0) return
          this.receive(socket.data.text.slice(0, end))
          socket.end()
        },
        close: (socket) => {
          this.connections--
          clearTimeout(socket.data?.timer)
        },
        error() {},
      },
    })
    chmodSync(options.socket, 0o660)
  }

  [Symbol.dispose](): void {
    this.server.stop(true)
  }

  private receive(line: string): void {
    const activity = activityOf(line)
    if (!activity) return
    this.latest = activity
    if (!this.sending) void this.send()
  }

  private async send(): Promise<void> {
    this.sending = true
    while (this.latest) {
      const notice = this.latest
      this.latest = undefined
      // @NOTE a lost state is corrected by the next one.
      await fetch(this.options.internalUrl + INTERNAL_PATHS.activity, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.options.token}` },
        body: JSON.stringify(notice),
        signal: AbortSignal.timeout(5000),
      }).then(
        (answer) => answer.arrayBuffer(),
        () => {},
      )
    }
    this.sending = false
  }
}

/** What an event of the hooks says about the CLI; undefined for events that say nothing. */
export function activityOf(line: string): ActivityNotice | undefined {
  let notice: HookNotice
  try {
    notice = JSON.parse(line) as HookNotice
  } catch {
    return undefined
  }
  const detail = typeof notice.detail === 'string' ? notice.detail.slice(0, 200) : undefined
  switch (notice.event) {
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
