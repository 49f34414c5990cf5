// Asks a server from a process of its own: one argument, a `Load` as JSON. Prints a `LoadResult` as JSON.
import type { Socket } from 'bun'

export interface Load {
  url: string
  /** Whole requests after the first line and the Host header: further header lines. */
  headers: Record<string, string>
  method?: string
  /** Taken in turns. */
  paths: string[]
  body?: string
  connections: number
  seconds: number
  /** Pause of a connection between two of its requests. */
  gapMs?: number
}

export interface LoadResult {
  perSecond: number
  p50: number
  p95: number
  p99: number
  worst: number
  statuses: Record<string, number>
  /** Connections that broke off, and answers that never came. */
  broken: number
}

interface Connection {
  sentAt: number
  text: string
}

const HEAD_END = '\r\n\r\n'

async function run({ url, method = 'GET', headers, paths, body = '', connections, seconds, gapMs = 0 }: Load): Promise<LoadResult> {
  const { hostname, port, host } = new URL(url)
  const lines = Object.entries({ host, ...headers, ...(body ? { 'content-length': String(Buffer.byteLength(body)) } : {}) }).map(([name, value]) => `${name}: ${value}`)
  const requests = paths.map((path) => `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}${HEAD_END}${body}`)
  const times: number[] = []
  const statuses: Record<string, number> = {}
  let broken = 0
  let turn = 0
  let open = 0
  const began = performance.now()
  const endsAt = began + seconds * 1000
  const { promise: over, resolve: end } = Promise.withResolvers<void>()

  const send = (socket: Socket<Connection>) => {
    if (performance.now() >= endsAt) return void socket.end()
    socket.data = { sentAt: performance.now(), text: '' }
    socket.write(requests[turn++ % requests.length] ?? '')
  }
  const closed = (socket: Socket<Connection>) => {
    if (performance.now() < endsAt && socket.data.sentAt > 0) broken++
    if (--open === 0) end()
  }
  const data = (socket: Socket<Connection>, bytes: Buffer) => {
    socket.data.text += bytes.toString('latin1')
    const { text, sentAt } = socket.data
    const head = text.indexOf(HEAD_END)
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
    if (text.length < head + HEAD_END.length + length) return
    const status = text.slice(9, 12)
    statuses[status] = (statuses[status] ?? 0) + 1
    times.push(performance.now() - sentAt)
    socket.data.sentAt = 0
    if (gapMs > 0) setTimeout(() => send(socket), gapMs)
    else send(socket)
  }
  for (let at = 0; at < connections; at++) {
    open++
    void Bun.connect<Connection>({ hostname, port: Number(port), data: { sentAt: 0, text: '' }, socket: { open: send, data, close: closed, error() {} } }).catch(() => {
      broken++
      if (--open === 0) end()
    })
  }
  const late = setTimeout(end, seconds * 1000 + 5000)
  await over
  clearTimeout(late)
  broken += open
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { perSecond: times.length / seconds, p50: at(0.5), p95: at(0.95), p99: at(0.99), worst: sorted.at(-1) ?? Number.NaN, statuses, broken }
}

/** Runs a load in another process. */
export async function load(what: Load): Promise<LoadResult> {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(what)], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  return (await new Response(child.stdout).json()) as LoadResult
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '{}') as Load)))
  process.exit(0)
}
