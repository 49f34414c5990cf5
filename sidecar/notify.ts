// `sidecar notify`: run by the CLI's hooks inside the sandbox; hands one line to the sidecar and never fails.
import type { HookNotice } from '../src/internal/contract.ts'

const LIMIT_MS = 2000

/** Reads the hook's JSON from standard input and sends a notice. Always resolves, within two seconds. */
export async function notify(socketPath: string): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, LIMIT_MS))
  await Promise.race([late, send(socketPath).catch(() => {})])
}

async function send(socketPath: string): Promise<void> {
  const line = `${JSON.stringify(noticeOf(await Bun.stdin.text()))}\n`
  await new Promise<void>((resolve, reject) => {
    Bun.connect({ unix: socketPath, socket: { open: (socket) => void socket.write(line), data() {}, close: () => resolve(), error: (_socket, error) => reject(error) } }).catch(
      reject,
    )
  })
}

function noticeOf(text: string): HookNotice {
  const hook = JSON.parse(text) as Record<string, unknown>
  const word = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
  const input = (hook.tool_input ?? {}) as Record<string, unknown>
  const subject = word(input.file_path)?.split('/').at(-1) ?? word(input.description) ?? word(input.command)?.slice(0, 60)
  const tool = word(hook.tool_name)
  return { event: String(hook.hook_event_name), transcriptPath: word(hook.transcript_path), detail: word(hook.message) ?? (tool && subject ? `${tool}: ${subject}` : tool) }
}
