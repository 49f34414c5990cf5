// `sidecar notify`: run by the CLI's hooks inside the sandbox; hands one line to the sidecar and never fails.
import type { HookNotice } from '../src/internal/contract.ts'

const LIMIT_MS = 2000
const DETAIL_CHARS = 200

/** Reads the hook's JSON from standard input and sends a notice. Always resolves, within two seconds. */
export async function notify(socketPath: string): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, LIMIT_MS))
  // @NOTE a hook that fails or waits would stop the CLI: whatever happens, it says nothing.
  await Promise.race([late, send(socketPath).catch(() => {})])
}

async function send(socketPath: string): Promise<void> {
  const line = Buffer.from(`${JSON.stringify(noticeOf(await Bun.stdin.text()))}\n`)
  await new Promise<void>((resolve, reject) => {
    let sent = 0
    const more = (socket: Bun.Socket) => {
      sent += socket.write(line, sent)
    }
    Bun.connect({ unix: socketPath, socket: { open: more, drain: more, data() {}, close: () => resolve(), error: (_socket, error) => reject(error) } }).catch(reject)
  })
}

/** What a hook's JSON says, in few words. */
function noticeOf(text: string): HookNotice {
  const hook = JSON.parse(text) as Record<string, unknown>
  const word = (value: unknown) => (typeof value === 'string' && value !== '' ? value.slice(0, DETAIL_CHARS) : undefined)
  const input = (hook.tool_input ?? {}) as Record<string, unknown>
  const file = typeof input.file_path === 'string' ? input.file_path.split('/').at(-1) : undefined
  const subject = word(file) ?? word(input.description) ?? word(input.command)?.slice(0, 60)
  const tool = word(hook.tool_name)
  const transcriptPath = typeof hook.transcript_path === 'string' ? hook.transcript_path.slice(0, 4096) : undefined
  return { event: word(hook.hook_event_name) ?? '', transcriptPath, detail: word(hook.message) ?? (tool && subject ? `${tool}: ${subject}` : tool) }
}
