// A portal that the chart has installed in namespaces of a suite's own, and somebody who uses it.
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { atEnd } from '../support/teardown.ts'
import { TerminalClient } from '../support/terminal-client.ts'
import { CHART, type Forward, forward, helm, imageValues, kubectl, tryHelm } from './shell.ts'

export interface SessionJson {
  session_id: string
  status: string
  reason: string | null
  warning: string | null
  started_at: string
  steps: { step: string; startedMs: number; endedMs?: number; detail?: string }[]
}

/** The release, its replicas, and the admin's login. */
export class InstalledPortal {
  private constructor(
    readonly namespace: string,
    private readonly ways: Map<string, Forward>,
  ) {}

  get agents(): string {
    return `${this.namespace}-agents`
  }

  static async install(prefix: string, ...values: string[]): Promise<InstalledPortal> {
    const namespace = `${prefix}-${Math.random().toString(36).slice(2, 8)}`
    const portal = new InstalledPortal(namespace, new Map())
    atEnd(() => portal.uninstall())
    await helm('install', 'sac', CHART, '-n', namespace, '--create-namespace', ...allValues(values), '--wait', '--timeout', '4m')
    return portal
  }

  /** The same release with these values, one replica after the other. */
  async upgrade(...values: string[]): Promise<void> {
    await helm('upgrade', 'sac', CHART, '-n', this.namespace, ...allValues(values), '--wait', '--timeout', '4m')
  }

  /** The release that was installed for the tests in the namespace RELEASE_NAMESPACE, else one of the suite's own. */
  static async givenOr(prefix: string, ...values: string[]): Promise<InstalledPortal> {
    const namespace = process.env.RELEASE_NAMESPACE
    if (!namespace) return InstalledPortal.install(prefix, ...values)
    const portal = new InstalledPortal(namespace, new Map())
    atEnd(() => portal.leave())
    return portal
  }

  /** Names of the replicas that are not on their way out. */
  async replicas(): Promise<string[]> {
    const { items } = JSON.parse(await kubectl('get', 'pods', '-n', this.namespace, '-l', 'app.kubernetes.io/component=server', '-o', 'json')) as {
      items: { metadata: { name: string; deletionTimestamp?: string }; status: { containerStatuses?: { ready: boolean }[] } }[]
    }
    return items.filter(({ metadata, status }) => !metadata.deletionTimestamp && status.containerStatuses?.every(({ ready }) => ready)).map(({ metadata }) => metadata.name)
  }

  /** Base URL of one replica's public (8080) or internal (8082) listener. */
  async url(replica: string, port = 8080): Promise<string> {
    const name = `${replica} ${port}`
    const known = this.ways.get(name)
    const way = known && !known.isOver ? known : await forward(this.namespace, `pod/${replica}`, port)
    this.ways.set(name, way)
    return way.url
  }

  /** The first admin's password. */
  async adminPassword(): Promise<string> {
    const { data } = JSON.parse(await kubectl('get', 'secret', '-n', this.namespace, 'sac', '-o', 'json')) as { data: Record<string, string> }
    return Buffer.from(data['admin-password'] ?? '', 'base64').toString()
  }

  /** The admin, signed in at one replica. The login is good at all of them. */
  async admin(replica: string): Promise<PortalUser> {
    const url = await this.url(replica)
    const body = JSON.stringify({ username: 'admin', password: await this.adminPassword() })
    const answer = await fetch(`${url}/api/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { token, user } = (await answer.json()) as { token: string; user: { id: number } }
    return new PortalUser(url, token, user.id)
  }

  private async leave(): Promise<void> {
    for (const way of this.ways.values()) await way[Symbol.asyncDispose]()
  }

  private async uninstall(): Promise<void> {
    await this.leave()
    await tryHelm('uninstall', 'sac', '-n', this.namespace, '--no-hooks')
    await kubectl('delete', 'namespace', '--ignore-not-found', '--wait=false', this.namespace, this.agents)
  }
}

const allValues = (values: string[]) => ['-f', join(import.meta.dir, 'values.yaml'), ...imageValues(), ...values]

/** Somebody at one replica. */
export class PortalUser {
  constructor(
    readonly url: string,
    readonly token: string,
    readonly id: number,
  ) {}

  at(url: string): PortalUser {
    return new PortalUser(url, this.token, this.id)
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const headers = { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    return { status: answer.status, body: (answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as T }
  }

  async createAgent(name: string): Promise<number> {
    const { status, body } = await this.ask<{ id: number }>('POST', '/api/agents', { name })
    if (status !== 201) throw new Error(`no agent: ${status} ${JSON.stringify(body)}`)
    return body.id
  }

  async session(id: string): Promise<SessionJson> {
    return (await this.ask<SessionJson>('GET', `/api/sessions/${id}`)).body
  }

  /** Waits for a status. Throws when the session fails meanwhile. */
  async becomes(id: string, status: string, timeoutMs = 90_000): Promise<SessionJson> {
    return until(
      async () => {
        const session = await this.session(id)
        if (session.status === 'failed' && status !== 'failed') throw new Error(session.reason ?? 'failed')
        return session.status === status ? session : undefined
      },
      { timeoutMs, intervalMs: 50, what: `a session that is ${status}` },
    )
  }

  /** Asks for the agent and waits until its terminal has answered. */
  async open(agentId: number): Promise<SessionJson> {
    const { body } = await this.ask<SessionJson>('POST', '/api/sessions', { agent_id: agentId })
    return this.becomes(body.session_id, 'running')
  }

  terminal(sessionId: string, resume?: { stream: string; offset: number }): TerminalClient {
    return new TerminalClient(`${this.url}/ws/${sessionId}`, { authorization: `Bearer ${this.token}` }, resume)
  }

  /** Paths of the agent's output. */
  async output(agentId: number): Promise<string[]> {
    const { body } = await this.ask<{ files: { path: string }[] }>('GET', `/api/workspace/output/files?agent_id=${agentId}`)
    return body.files.map(({ path }) => path)
  }

  /** Content of a file in the agent's output. */
  async read(agentId: number, path: string): Promise<string> {
    const { status, body } = await this.ask<string>('GET', `/api/workspace/output/files/download?agent_id=${agentId}&path=${encodeURIComponent(path)}`)
    return status === 200 ? body : `status ${status}`
  }
}

const SHOWN_MS = 6000

/** Runs a command by the CLI's own shell prefix and waits for what it prints. What the terminal showed before is forgotten. */
export async function shell(terminal: TerminalClient, command: string, answer: string): Promise<void> {
  await terminal.shows('❯', 30_000)
  const typeIt = async () => {
    terminal.text = ''
    terminal.type(`!${command}`)
    // The end of it only: the CLI may draw a line in parts.
    await terminal.shows(command.slice(-3), SHOWN_MS)
  }
  // A CLI that has just begun throws away what comes before it listens: then once more, on an empty line.
  await typeIt().catch(() => {
    terminal.type('\u0015\u007f')
    return typeIt()
  })
  terminal.text = ''
  terminal.type('\r')
  // It draws only what differs from before; in another size it draws everything.
  await terminal.shows(answer, SHOWN_MS).catch(() => {
    terminal.frame('1', JSON.stringify({ columns: 110, rows: 32 }))
    return terminal.shows(answer)
  })
}
