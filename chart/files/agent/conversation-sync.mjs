// Run by Claude Code's hooks: hands one line about the event to the sidecar's socket. Says nothing, always exits with 0.
import { connect } from 'node:net'

const LIMIT_MS = 2000
const MAX_INPUT_CHARS = 8 * 1024 * 1024
const DETAIL_CHARS = 200
const socketPath = process.env.SAC_SOCKET || '/run/sac/sidecar.sock'

// A hook that fails or waits would stop the CLI.
const leave = () => process.exit(0)
setTimeout(leave, LIMIT_MS)
process.on('uncaughtException', leave)
process.on('unhandledRejection', leave)

const word = (value) => (typeof value === 'string' && value !== '' ? value.slice(0, DETAIL_CHARS) : undefined)

function noticeOf(hook) {
  const input = hook.tool_input ?? {}
  const file = typeof input.file_path === 'string' ? input.file_path.split('/').at(-1) : undefined
  const subject = word(file) ?? word(input.description) ?? word(input.command)?.slice(0, 60)
  const tool = word(hook.tool_name)
  const transcriptPath = typeof hook.transcript_path === 'string' ? hook.transcript_path.slice(0, 4096) : undefined
  return { event: word(hook.hook_event_name) ?? '', transcriptPath, detail: word(hook.message) ?? (tool && subject ? `${tool}: ${subject}` : tool) }
}

let text = ''
process.stdin.setEncoding('utf8')
for await (const chunk of process.stdin) {
  text += chunk
  if (text.length > MAX_INPUT_CHARS) leave()
}
const line = `${JSON.stringify(noticeOf(JSON.parse(text)))}\n`
connect(socketPath, function () {
  this.end(line)
})
  .on('error', leave)
  .on('close', leave)
  .resume()
