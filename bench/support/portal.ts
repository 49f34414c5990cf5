// A portal in a process of its own for benches that choose its environment, and people in it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'

const ROOT = join(import.meta.dir, '..', '..')
const PASSWORD = 'a phrase for measuring'

/** Somebody who is signed in, with one agent. */
export interface Tenant {
  token: string
  userId: number
  agentId: number
}

/** An agent that runs: its folder and the token of its sidecar. */
export interface Running extends Tenant {
  output: string
  sandboxToken: string
}

/** A portal with everything embedded, in a folder of its own. */
export class BenchPortal {
  private constructor(
    readonly folder: string,
    readonly url: string,
    readonly internalUrl: string,
    private readonly process: Bun.Subprocess,
  ) {}

  /** Starts one and waits until it is ready; `env` comes on top. */
  static async start(env: Record<string, string> = {}): Promise<BenchPortal> {
    const folder = mkdtempSync(join(tmpdir(), 'sac-bench-'))
    const [port, internalPort] = [freePort(), freePort()]
    const child = Bun.spawn([process.execPath, join(ROOT, 'src', 'main.ts')], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        DATA_DIR: folder,
        API_GATEWAY_PORT: String(port),
        INTERNAL_PORT: String(internalPort),
        CLAUDE_BIN: '/bin/bash',
        RUNTIME: 'local',
        LOG_LEVEL: 'warn',
        ADMIN_PASSWORD: PASSWORD,
        // Everybody comes with an address of their own.
        TRUSTED_PROXIES: '127.0.0.1',
        ...env,
      },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: process.env.BENCH_LOG ? 'inherit' : 'ignore',
    })
    process.on('exit', () => child.kill('SIGKILL'))
    const portal = new BenchPortal(folder, `http://127.0.0.1:${port}`, `http://127.0.0.1:${internalPort}`, child)
    const ready = () =>
      fetch(`${portal.url}/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(ready, { timeoutMs: 30_000, what: 'a ready portal' })
    return portal
  }

  get pid(): number {
    return this.process.pid
  }

  /** Signs in as the admin and lets everybody register. */
  async open(): Promise<string> {
    // The admin is made a moment after the portal is ready.
    const signedIn = () => this.ask<{ token: string }>('POST', '/api/auth/login', { body: { username: 'admin', password: PASSWORD } }).catch(() => undefined)
    const { token } = await until(signedIn, { intervalMs: 200, what: 'an admin' })
    await this.ask('PUT', '/api/admin/settings/registration_mode', { token, body: { value: 'open' } })
    return token
  }

  /** A new person with an agent. */
  async tenant(name: string): Promise<Tenant> {
    const person = { username: name, email: `${name}@example.com`, password: PASSWORD }
    const { token, user } = await this.ask<{ token: string; user: { id: number } }>('POST', '/api/auth/register', { body: person, address: addressOf(name) })
    const { id } = await this.ask<{ id: number }>('POST', '/api/agents', { token, body: { name: 'Bench' } })
    return { token, userId: user.id, agentId: id }
  }

  /** One more login of a person. */
  async signIn(name: string): Promise<string> {
    const body = { username: name, password: PASSWORD }
    return (await this.ask<{ token: string }>('POST', '/api/auth/login', { body, address: addressOf(name) })).token
  }

  /** Starts the agent of somebody and waits for its terminal. */
  async run(tenant: Tenant): Promise<Running> {
    const { token, userId, agentId } = tenant
    const { session_id } = await this.ask<{ session_id: string }>('POST', '/api/sessions', { token, body: { agent_id: agentId } })
    const isRunning = async () => (await this.ask<{ status: string }>('GET', `/api/sessions/${session_id}`, { token })).status === 'running'
    await until(isRunning, { timeoutMs: 60_000, what: 'a running agent' })
    const sandbox = join(this.folder, 'sandboxes', `${userId}-${agentId}`)
    return { ...tenant, output: join(sandbox, 'workspace', 'output'), sandboxToken: readFileSync(join(sandbox, 'hidden', 'token'), 'utf8').trim() }
  }

  /** Number of the process that mirrors an agent's folder. */
  sidecarPid({ userId, agentId }: Tenant): number {
    return (JSON.parse(readFileSync(join(this.folder, 'sandboxes', `${userId}-${agentId}`, 'hidden', 'sidecar'), 'utf8')) as { pid: number }).pid
  }

  /** Stores one small file as a sidecar does. */
  async upload({ sandboxToken }: Running, path: string, text: string): Promise<{ seq: number }> {
    const answer = await fetch(`${this.internalUrl}/api/internal/output/upload?path=${encodeURIComponent(path)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sandboxToken}`, 'x-content-sha256': sha256Hex(text), 'content-type': 'application/octet-stream' },
      body: text,
    })
    if (!answer.ok) throw new Error(`upload: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as { seq: number }
  }

  async ask<T = unknown>(method: string, path: string, { token, body, address }: { token?: string; body?: unknown; address?: string } = {}): Promise<T> {
    const headers: Record<string, string> = {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(address ? { 'x-forwarded-for': address } : {}),
    }
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** Ends the agents of these people, then the portal. */
  async end(people: Tenant[] = []): Promise<void> {
    for (const { token, agentId } of people) await this.ask('DELETE', `/api/agents/${agentId}`, { token }).catch(() => {})
    const sandboxes = new RegExp(people.map(({ userId, agentId }) => `^${userId}-${agentId}$`).join('|') || '^$')
    const left = () => [...new Bun.Glob('*').scanSync({ cwd: join(this.folder, 'sandboxes'), onlyFiles: false })].filter((name) => sandboxes.test(name))
    await until(() => left().length === 0, { timeoutMs: 20_000, what: 'ended sandboxes' }).catch(() => {})
    this.process.kill('SIGTERM')
    await this.process.exited
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  probe.stop(true)
  return probe.port
}

function addressOf(name: string): string {
  const hash = Number(Bun.hash(name) % 65_000n)
  return `10.7.${hash >> 8}.${hash & 255}`
}
