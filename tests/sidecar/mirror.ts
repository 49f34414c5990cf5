// A compiled sidecar over a real folder, and a real server that keeps what arrives and can be told to fail.
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PackEntry, PackOutcome } from '../../src/internal/contract.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { escapeName, pathProblem } from '../../src/lib/paths.ts'
import { until } from '../../src/lib/until.ts'

const ROOT = join(import.meta.dir, '..', '..')
/** The executable under test; SIDECAR_BIN names another one. */
export const SIDECAR = process.env.SIDECAR_BIN ?? join(ROOT, 'dist', 'sidecar')
const TOKEN = 'sandbox-token-of-the-test'

let building: Promise<void> | undefined

/** Builds the executable once for all tests, if its sources are newer. */
export function built(): Promise<void> {
  building ??= (async () => {
    if (process.env.SIDECAR_BIN) return
    const build = Bun.spawn([process.execPath, 'scripts/build.ts', 'sidecar'], { cwd: ROOT, stdout: 'ignore', stderr: 'inherit' })
    if ((await build.exited) !== 0) throw new Error('the sidecar does not build')
  })()
  return building
}

/** A repeatable source of chance; its seed is printed, and taken from SEED. */
export function seeded(): { below: (limit: number) => number; chance: (part: number) => boolean } {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`seed ${seed}\n`)
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { below: (limit) => Math.floor(next() * limit), chance: (part) => next() < part }
}

interface Reply {
  status: number
  body: unknown
  retryAfterS?: number
}

export interface Asked {
  kind: 'upload' | 'remove' | 'room' | 'activity' | 'exposure'
  path: string
  at: number
}
const KINDS: Record<string, Asked['kind']> = { upload: 'upload', delete: 'remove', room: 'room', exposure: 'exposure' }
/** What the server shall do with a request: a status with a code, lose the answer after storing, or cut the line before. */
export type Fault = { status: number; code?: string; retryAfterS?: number } | 'lose' | 'cut' | undefined

/** The server's end: keeps hashes of what it stored. */
export class Receiver {
  readonly files = new Map<string, { sha256: string; size: number }>()
  /** Hashes of all content that ever came. */
  readonly everSent = new Set<string>()
  readonly asked: Asked[] = []
  readonly activities: { state: string; detail?: string }[] = []
  fault: (request: Asked) => Fault | Promise<Fault> = () => undefined
  underWay = 0
  /** How many changes each pack had that came whole. */
  readonly packs: number[] = []
  /** What is answered to a pack as a whole, and how the answer to one is spoilt. */
  refusePack: () => Fault = () => undefined
  spoil: (outcomes: PackOutcome[]) => unknown = (outcomes) => outcomes
  most = 0
  private server?: Server
  private port = 0

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Listens, again on the same port after `stop`. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.serve(request, response))
    this.server = server
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    this.port = (server.address() as AddressInfo).port
  }

  /** Refuses connections and cuts those that are open. */
  async stop(): Promise<void> {
    const { server } = this
    this.server = undefined
    if (!server) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.most = Math.max(this.most, ++this.underWay)
    try {
      const answer = await this.answer(request)
      if (answer === 'cut') return void request.socket.destroy()
      if (answer.retryAfterS !== undefined) response.setHeader('retry-after', String(answer.retryAfterS))
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
    } catch {
      // The sidecar went away in the middle.
      request.socket.destroy()
    } finally {
      this.underWay--
    }
  }

  private async answer(request: IncomingMessage): Promise<Reply | 'cut'> {
    if (request.method === 'GET' && request.url === '/health') return { status: 200, body: { status: 'ok' } }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return refusal({ status: 401, code: 'unauthorized' })
    const url = new URL(request.url ?? '', this.url)
    if (url.pathname.endsWith('/pack')) return this.pack(request)
    const kind = KINDS[url.pathname.slice(url.pathname.lastIndexOf('/') + 1)] ?? 'activity'
    const body = kind === 'upload' ? undefined : ((await jsonOf(request)) as { path: string; state: string; detail?: string })
    const asked = this.note({ kind, path: body?.path ?? url.searchParams.get('path') ?? '' })
    const fault = await this.fault(asked)
    if (typeof fault === 'object') return refusal(fault)
    if (fault === 'cut') return 'cut'
    if (kind === 'room' || kind === 'exposure') return { status: 200, body: { ok: true } }
    const answer = kind === 'upload' ? await this.receive(asked.path, request) : kind === 'remove' ? this.remove(asked.path) : this.noteActivity(body)
    return fault === 'lose' ? 'cut' : answer
  }

  private note(asked: Omit<Asked, 'at'>): Asked {
    const noted = { ...asked, at: performance.now() }
    this.asked.push(noted)
    return noted
  }

  // Each change of a pack counts as asked for by itself, so that faults may hit any of them.
  private async pack(request: IncomingMessage): Promise<Reply | 'cut'> {
    const bytes = await bytesOf(request)
    if (bytes.byteLength !== Number(request.headers['content-length'])) return refusal({ status: 400, code: 'length' })
    const line = bytes.indexOf(10)
    const entries = JSON.parse(bytes.subarray(0, line).toString()) as PackEntry[]
    this.packs.push(entries.length)
    const refused = this.refusePack()
    if (typeof refused === 'object') return refusal(refused)
    let at = line + 1
    let isLost = false
    const outcomes: PackOutcome[] = []
    for (const [path, sha256, size = 0] of entries) {
      const content = bytes.subarray(at, at + size)
      at += size
      const fault = await this.fault(this.note({ kind: sha256 === undefined ? 'remove' : 'upload', path }))
      if (fault === 'cut') return 'cut'
      isLost ||= fault === 'lose'
      outcomes.push(
        typeof fault === 'object' ? outcomeOf(refusal(fault)) : outcomeOf(sha256 === undefined ? this.remove(path) : this.store(path, sha256Hex(content), size, sha256)),
      )
    }
    return isLost ? 'cut' : { status: 200, body: { outcomes: this.spoil(outcomes) } }
  }

  private async receive(path: string, request: IncomingMessage): Promise<Reply> {
    const hasher = new Bun.CryptoHasher('sha256')
    let size = 0
    for await (const chunk of request) {
      hasher.update(chunk)
      size += chunk.byteLength
    }
    const sha256 = hasher.digest('hex')
    if (size !== Number(request.headers['content-length'])) return refusal({ status: 400, code: 'length' })
    return this.store(path, sha256, size, request.headers['x-content-sha256'])
  }

  private store(path: string, sha256: string, size: number, claimed: unknown): Reply {
    this.everSent.add(sha256)
    if (pathProblem(path)) return refusal({ status: 422, code: 'invalid_path' })
    if (sha256 !== claimed) return refusal({ status: 422, code: 'checksum_mismatch' })
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) if (this.files.has(folder)) return refusal({ status: 409, code: 'path_conflict' })
    if (this.files.size < 1000 && [...this.files.keys()].some((key) => key.startsWith(`${path}/`))) return refusal({ status: 409, code: 'path_conflict' })
    this.files.set(path, { sha256, size })
    return { status: 201, body: { seq: this.asked.length } }
  }

  private remove(path: string): Reply {
    this.files.delete(path)
    return { status: 200, body: { seq: this.asked.length } }
  }

  private noteActivity(body: { state: string; detail?: string } | undefined): Reply {
    if (body) this.activities.push({ state: body.state, detail: body.detail })
    return { status: 200, body: { ok: true } }
  }
}

function refusal({ status, code = 'refused', retryAfterS }: { status: number; code?: string; retryAfterS?: number }): Reply {
  return { status, retryAfterS, body: { error: { code, message: code, request_id: '' } } }
}

function outcomeOf({ status, body, retryAfterS }: Reply): PackOutcome {
  const { error, seq } = body as { error?: { code: string }; seq?: number }
  return { status, seq, code: error?.code, retry_after_s: retryAfterS }
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  return JSON.parse((await bytesOf(request)).toString())
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of request) parts.push(chunk)
  return Buffer.concat(parts)
}

/** A folder with a sidecar over it. */
export class Mirror {
  readonly folder = mkdtempSync(join(tmpdir(), 'sac-sidecar-'))
  readonly output = join(this.folder, 'workspace', 'output')
  readonly socket = join(this.folder, 'run', 'sidecar.sock')
  readonly receiver = new Receiver()
  log = ''
  private process?: Bun.Subprocess<'ignore', 'ignore', 'pipe'>

  constructor(private readonly wrap: string[] = []) {
    for (const folder of ['workspace/output', 'run', 'hidden']) mkdirSync(join(this.folder, folder), { recursive: true })
    writeFileSync(join(this.folder, 'hidden', 'token'), `${TOKEN}\n`, { mode: 0o400 })
  }

  get journal(): string {
    return join(this.folder, 'hidden', 'journal.sqlite')
  }

  get tokenFile(): string {
    return join(this.folder, 'hidden', 'token')
  }

  get pid(): number {
    return this.process?.pid ?? 0
  }

  get exited(): Promise<number> {
    return this.process?.exited ?? Promise.resolve(-1)
  }

  path(name: string): string {
    return join(this.output, name)
  }

  /** Writes a file below the output folder, and the folders that it needs. */
  write(name: string, content: string | Uint8Array = name): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), content)
  }

  /** Starts the sidecar and waits until it has begun. */
  async start(env: Record<string, string> = {}): Promise<void> {
    await built()
    if (this.receiver.url.endsWith(':0')) await this.receiver.start()
    this.log = ''
    this.process = Bun.spawn([...this.wrap, SIDECAR], {
      cwd: '/',
      env: {
        PATH: '/usr/bin:/bin',
        SAC_INTERNAL_URL: this.receiver.url,
        SAC_TOKEN_FILE: this.tokenFile,
        SAC_WATCH_DIR: this.output,
        SAC_JOURNAL: this.journal,
        SAC_SOCKET: this.socket,
        ...env,
      },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
    void this.read(this.process.stderr)
    await until(() => this.log.includes('"watching"'), { what: 'a running sidecar' })
  }

  /** Sends a signal and waits for the end; the exit code, or -1 after a signal. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.process?.kill(signal)
    return (await this.process?.exited) ?? -1
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal)
  }

  /** A line of /proc/PID/status in KiB, such as VmHWM (the most that was ever resident). */
  memoryKiB(name: 'VmRSS' | 'VmHWM'): number {
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1])
  }

  /** Files on the disk as they should be on the server. */
  expected(folder = '', into = new Map<string, string>()): Map<string, string> {
    for (const bytes of readdirSync(Buffer.concat([Buffer.from(`${this.output}/`), Buffer.from(folder, 'latin1')]), { encoding: 'buffer' })) {
      const raw = folder === '' ? bytes.toString('latin1') : `${folder}/${bytes.toString('latin1')}`
      const place = Buffer.concat([Buffer.from(`${this.output}/`), Buffer.from(raw, 'latin1')])
      const stat = lstatSync(place)
      if (stat.isDirectory()) this.expected(raw, into)
      else if (stat.isFile() && stat.nlink === 1) into.set(written(raw), sha256Hex(readFileSync(place)))
    }
    return into
  }

  /** Waits until the server has exactly the files of the disk. */
  async inStep(timeoutMs = 20_000): Promise<void> {
    let difference = ''
    let lookAgainAt = 0
    await until(
      () => {
        if (performance.now() < lookAgainAt) return false
        const began = performance.now()
        difference = this.difference()
        // Looking costs time that the server's end of this process needs.
        lookAgainAt = performance.now() + 4 * (performance.now() - began)
        return difference === ''
      },
      { timeoutMs, intervalMs: 25, what: 'a true mirror' },
    ).catch((error) => {
      throw new Error(`${String(error)}: ${difference}\n${this.log.slice(-2000)}`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process?.kill('SIGKILL')
    await this.process?.exited
    await this.receiver.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private difference(): string {
    if (!existsSync(this.output)) return 'there is no folder'
    const expected = this.expected()
    const { files } = this.receiver
    const missing = [...expected].filter(([path, sha256]) => files.get(path)?.sha256 !== sha256).map(([path]) => path)
    const surplus = [...files.keys()].filter((path) => !expected.has(path))
    const some = (paths: string[]) => `${paths.length} (${paths.slice(0, 5).join(', ')})`
    return missing.length + surplus.length === 0 ? '' : `${expected.size} files, missing or different ${some(missing)}, surplus ${some(surplus)}`
  }

  private async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    const reader = stream.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) this.log = (this.log + decoder.decode(part.value, { stream: true })).slice(-1_000_000)
  }
}

function written(raw: string): string {
  return raw
    .split('/')
    .map((part, index) => escapeName(Buffer.from(part, 'latin1'), index === 0))
    .join('/')
}

/** A sidecar that is already running. */
export async function startMirror(wrap: string[] = []): Promise<Mirror> {
  const mirror = new Mirror(wrap)
  await mirror.start()
  return mirror
}
