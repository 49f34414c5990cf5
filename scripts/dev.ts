// `dev` runs the server with reload on this machine, for the local runtime or any cluster (KUBECONFIG_PATH); `dev:status`,
// `dev:logs`, `dev:restart` and `dev:stop` speak to it from another terminal.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const FOLDER = join(ROOT, '.cache', 'dev')
const NOTE = join(FOLDER, 'process.json')
const LOG = join(FOLDER, 'server.log')
const LAST_LINES = 40
const FOLLOW_MS = 200
const STOP_MS = 15_000

interface Note {
  pid: number
  /** Distinguishes the process from a later one with the same id. */
  startedAt: string
  url: string
}

const commands: Record<string, () => Promise<number>> = { start, status, logs, restart, stop }
const command = commands[process.argv[2] ?? 'start']
if (!command) {
  process.stderr.write(`Usage: dev.ts ${Object.keys(commands).join('|')}\n`)
  process.exit(2)
}
process.exit(await command())

async function start(): Promise<number> {
  if (running()) return say(1, 'The server runs already: `bun run dev:status` says where, `bun run dev:stop` ends it.')
  const built = await Bun.spawn([process.execPath, 'scripts/build.ts', 'static', 'sidecar'], { cwd: ROOT, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' }).exited
  if (built !== 0) return built
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(LOG, '')
  const url = `http://127.0.0.1:${process.env.API_GATEWAY_PORT ?? '8080'}`
  writeFileSync(NOTE, JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid), url } satisfies Note))
  let child = serve()
  let isEnding = false
  process.on('SIGUSR2', () => child.kill('SIGTERM'))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      isEnding = true
      child.kill('SIGTERM')
    })
  let code = await child.exited
  // Ended by `dev:restart`: a server that fails by itself stays for its next change, under --watch.
  while (!isEnding && code === 0) {
    child = serve()
    code = await child.exited
  }
  rmSync(NOTE, { force: true })
  return isEnding ? 0 : code
}

function serve(): Bun.Subprocess {
  const env = { LOG_FORMAT: 'console', ...process.env }
  const child = Bun.spawn([process.execPath, '--watch', 'src/main.ts'], { cwd: ROOT, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  for (const stream of [child.stdout, child.stderr]) void copy(stream)
  return child
}

/** To the terminal and to the log, for whoever asks later. */
async function copy(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    process.stdout.write(read.value)
    appendFileSync(LOG, read.value)
  }
}

async function status(): Promise<number> {
  const note = running()
  if (!note) return say(1, 'The server does not run. `bun run dev` starts it.')
  const answer = await fetch(`${note.url}/ready`, { signal: AbortSignal.timeout(3000) }).then(
    (response) => response.text(),
    () => 'no answer yet',
  )
  return say(0, `The server runs at ${note.url} (process ${note.pid}): ${answer}`)
}

async function logs(): Promise<number> {
  if (!existsSync(LOG)) return say(1, 'There is no log yet. `bun run dev` starts the server.')
  const text = readFileSync(LOG, 'utf8')
  process.stdout.write(text.split('\n').slice(-LAST_LINES).join('\n'))
  let seen = Buffer.byteLength(text)
  while (running()) {
    const whole = readFileSync(LOG)
    if (whole.byteLength < seen) seen = 0
    process.stdout.write(whole.subarray(seen))
    seen = whole.byteLength
    await Bun.sleep(FOLLOW_MS)
  }
  return 0
}

async function restart(): Promise<number> {
  const note = running()
  if (!note) return say(1, 'The server does not run. `bun run dev` starts it.')
  process.kill(note.pid, 'SIGUSR2')
  return say(0, `The server starts again at ${note.url}.`)
}

async function stop(): Promise<number> {
  const note = running()
  if (!note) return say(0, 'The server does not run.')
  process.kill(note.pid, 'SIGTERM')
  const deadline = performance.now() + STOP_MS
  while (running() && performance.now() < deadline) await Bun.sleep(FOLLOW_MS)
  return running() ? say(1, `The server (process ${note.pid}) is still stopping.`) : say(0, 'The server has stopped.')
}

/** The running `dev`, unless its note is of one that was killed. */
function running(): Note | undefined {
  if (!existsSync(NOTE)) return undefined
  const note = JSON.parse(readFileSync(NOTE, 'utf8')) as Note
  return startOf(note.pid) === note.startedAt ? note : undefined
}

/** When a process began, as `ps` tells it everywhere. */
function startOf(pid: number): string {
  return (
    Bun.spawnSync(['ps', '-o', 'lstart=', '-p', String(pid)])
      .stdout.toString()
      .trim() || 'not there'
  )
}

function say(code: number, text: string): number {
  process.stdout.write(`${text}\n`)
  return code
}
