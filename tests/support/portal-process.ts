// The portal as people run it: a process of its own with an embedded database, to be killed and started again.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { freePort } from './free-port.ts'
import { signalAll } from './processes.ts'

const ROOT = join(import.meta.dir, '..', '..')
const READY_MS = 60_000
const END_MS = 20_000

/** One portal on one folder of data. Its address stays the same over restarts. */
export class PortalProcess {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'sac-portal-'))
  readonly adminPassword = 'the first phrase of the admin'
  private readonly port = freePort()
  private starts = 0
  private child?: Bun.Subprocess<'ignore', Bun.BunFile, Bun.BunFile>

  private constructor(private readonly env: Record<string, string>) {}

  /** Starts it and resolves when it is ready for people. `env` is added to a clean environment. */
  static async start(env: Record<string, string> = {}): Promise<PortalProcess> {
    const portal = new PortalProcess(env)
    await portal.start()
    return portal
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  /** What it has logged since its last start. */
  get log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  private get logFile(): string {
    return join(this.dataDir, `log-${this.starts}`)
  }

  /** Starts it again on the same data. */
  async start(): Promise<void> {
    this.starts++
    const log = Bun.file(this.logFile)
    this.child = Bun.spawn([process.execPath, join(ROOT, 'src', 'main.ts'), 'serve'], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
        LANG: 'C.UTF-8',
        API_GATEWAY_PORT: String(this.port),
        INTERNAL_PORT: '0',
        DATA_DIR: join(this.dataDir, 'data'),
        ADMIN_PASSWORD: this.adminPassword,
        ...this.env,
      },
      stdin: 'ignore',
      stdout: log,
      stderr: log,
    })
    const { child } = this
    const ready = () => {
      if (child.exitCode !== null) throw new Error(`The portal ended: ${this.log}`)
      return this.log.includes('the portal is ready')
    }
    await until(ready, { timeoutMs: READY_MS, intervalMs: 50, what: 'the portal' })
  }

  /** Ends it with a signal; KILL leaves it no time for anything. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.child?.kill(signal)
    await this.child?.exited
  }

  /** A token of somebody who signs in with a password. */
  async signIn(username: string, password: string): Promise<string> {
    return (await this.ask<{ token: string }>('', 'POST', '/api/auth/login', { username, password })).token
  }

  /** Asks the JSON API; throws unless the answer is good. */
  async ask<T>(token: string, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** Creates an agent, starts it and waits until its terminal answers. Returns its number. */
  async runningAgent(token: string, name: string): Promise<number> {
    const { id } = await this.ask<{ id: number }>(token, 'POST', '/api/agents', { name })
    const { session_id } = await this.ask<{ session_id: string }>(token, 'POST', '/api/sessions', { agent_id: id })
    const runs = async () => (await this.ask<{ status: string }>(token, 'GET', `/api/sessions/${session_id}`)).status === 'running'
    await until(runs, { timeoutMs: 60_000, intervalMs: 100, what: 'a running agent' })
    return id
  }

  /** Numbers of the processes whose command line or environment names this portal's folder: sandboxes, sidecars, the database. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => pid !== process.pid && wordsOf(pid).includes(this.dataDir))
  }

  /** Ends it with everything that it started, and removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGTERM')
    // Sandboxes outlive the server on purpose.
    signalAll(this.processes(), 'SIGKILL')
    await until(() => this.processes().length === 0, { timeoutMs: END_MS, what: 'the end of everything that the portal started' })
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

function wordsOf(pid: number): string {
  try {
    // A sidecar has its folders in its environment alone.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    // @NOTE it has just ended.
    return ''
  }
}
