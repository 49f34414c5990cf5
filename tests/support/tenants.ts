// People with agents in a portal of its own process, and what sidecars and listeners of theirs need.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { freePort } from './free-port.ts'
import { PortalProcess } from './portal-process.ts'

/** The password of everybody but the admin. */
export const PASSWORD = 'a phrase for testing'

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

/** A portal that everybody may register with. */
export class Tenancy {
  private constructor(
    readonly portal: PortalProcess,
    readonly internalUrl: string,
    readonly dataDir: string,
  ) {}

  /** Starts a portal whose agents are shells; `env` comes on top, and its DATA_DIR may be there already. */
  static async start(env: Record<string, string> = {}): Promise<Tenancy> {
    const internalPort = freePort()
    // Behind a proxy, so that everybody comes with an address of their own.
    const usual = { INTERNAL_PORT: String(internalPort), CLAUDE_BIN: '/bin/bash', RUNTIME: 'local', LOG_LEVEL: 'info', TRUSTED_PROXIES: '127.0.0.1' }
    const portal = await PortalProcess.start({ ...usual, ...env })
    const token = await portal.signIn('admin', portal.adminPassword)
    await portal.ask(token, 'PUT', '/api/admin/settings/registration_mode', { value: 'open' })
    return new Tenancy(portal, `http://127.0.0.1:${internalPort}`, env.DATA_DIR ?? join(portal.dataDir, 'data'))
  }

  get url(): string {
    return this.portal.url
  }

  /** A new person with an agent. */
  async tenant(name: string): Promise<Tenant> {
    const { token, user } = await this.enter<{ token: string; user: { id: number } }>('register', name, { email: `${name}@example.com` })
    const { id } = await this.portal.ask<{ id: number }>(token, 'POST', '/api/agents', { name: 'Agent' })
    return { token, userId: user.id, agentId: id }
  }

  /** One more login of a person. */
  async signIn(name: string): Promise<string> {
    return (await this.enter<{ token: string }>('login', name, {})).token
  }

  /** Starts the agent of somebody and waits for its terminal. */
  async run(tenant: Tenant): Promise<Running> {
    const { token, agentId } = tenant
    const { session_id } = await this.portal.ask<{ session_id: string }>(token, 'POST', '/api/sessions', { agent_id: agentId })
    const isRunning = async () => (await this.portal.ask<{ status: string }>(token, 'GET', `/api/sessions/${session_id}`)).status === 'running'
    await until(isRunning, { timeoutMs: 60_000, what: 'a running agent' })
    const sandbox = this.sandbox(tenant)
    return { ...tenant, output: join(sandbox, 'workspace', 'output'), sandboxToken: readFileSync(join(sandbox, 'hidden', 'token'), 'utf8').trim() }
  }

  /** Number of the process that mirrors an agent's folder. */
  sidecarPid(tenant: Tenant): number {
    return (JSON.parse(readFileSync(join(this.sandbox(tenant), 'hidden', 'sidecar'), 'utf8')) as { pid: number }).pid
  }

  /** Stores one file as a sidecar does; undefined without an answer. */
  async upload({ sandboxToken }: Running, path: string, content: string | Uint8Array<ArrayBuffer>): Promise<{ status: number; seq: number } | undefined> {
    const headers = { authorization: `Bearer ${sandboxToken}`, 'x-content-sha256': sha256Hex(content), 'content-type': 'application/octet-stream' }
    const url = `${this.internalUrl}/api/internal/output/upload?path=${encodeURIComponent(path)}`
    const answer = await fetch(url, { method: 'POST', headers, body: content }).catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    return answer && { status: answer.status, seq: answer.ok && text ? Number((JSON.parse(text) as { seq: number }).seq) : 0 }
  }

  /** Ends the agents of these people, the portal, and removes its data. */
  async end(people: Tenant[] = []): Promise<void> {
    for (const { token, agentId } of people) await this.portal.ask(token, 'DELETE', `/api/agents/${agentId}`).catch(() => {})
    await until(() => !people.some((tenant) => existsSync(this.sandbox(tenant))), { timeoutMs: 20_000, what: 'ended sandboxes' }).catch(() => {})
    await this.portal[Symbol.asyncDispose]()
  }

  private sandbox({ userId, agentId }: Tenant): string {
    return join(this.dataDir, 'sandboxes', `${userId}-${agentId}`)
  }

  private async enter<T>(how: 'login' | 'register', name: string, more: Record<string, string>): Promise<T> {
    const hash = Number(Bun.hash(name) % 65_000n)
    const answer = await fetch(`${this.url}/api/auth/${how}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `10.7.${hash >> 8}.${hash & 255}` },
      body: JSON.stringify({ username: name, password: PASSWORD, ...more }),
    })
    if (!answer.ok) throw new Error(`${how}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }
}
