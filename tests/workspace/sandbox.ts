// A sandbox's side of the internal listener, as tests speak it.
import { readFileSync } from 'node:fs'
import { connect as dial } from 'node:net'
import { INTERNAL_PATHS, type PackAnswer, type PackOutcome } from '../../src/internal/contract.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import type { Person, TestApp } from '../support/app.ts'

export interface Uploaded {
  status: number
  body: { seq?: number; duplicate?: boolean; error?: { code: string; message: string } }
}

/** An agent whose sandbox token is known. */
export class Sandbox {
  private constructor(
    private readonly app: TestApp,
    readonly agentId: number,
    readonly token: string,
  ) {}

  static async of(app: TestApp, person: Person, name = 'Agent'): Promise<Sandbox> {
    const agentId = await person.createAgent(name)
    const agent = await app.portal.context.agents.present(agentId)
    if (!agent) throw new Error('no agent')
    return new Sandbox(app, agentId, (await app.portal.context.agents.nextGeneration(agent)).sandboxToken)
  }

  async upload(
    path: string,
    content: string | Uint8Array<ArrayBuffer>,
    { query = '', headers = {}, signal }: { query?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Uploaded> {
    const body = Buffer.from(content)
    const answer = await fetch(`${this.app.portal.internalUrl}/api/internal/output/upload?path=${encodeURIComponent(path)}${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'x-content-sha256': sha256Hex(body), 'content-type': 'application/octet-stream', ...headers },
      body,
      signal,
    })
    return { status: answer.status, body: (await answer.json()) as Uploaded['body'] }
  }

  /** Sends many changes in one request; a path without content is to be removed. */
  async pack(changes: [path: string, content?: string][], { signal }: { signal?: AbortSignal } = {}): Promise<{ status: number; outcomes: PackOutcome[] }> {
    const answer = await this.packOf(
      changes.map(([path, content]) => (content === undefined ? [path] : [path, sha256Hex(content), Buffer.byteLength(content)])),
      changes.map(([, content = '']) => content).join(''),
      { signal },
    )
    return { status: answer.status, outcomes: answer.body.outcomes ?? [] }
  }

  /** Sends a pack whose first line and bytes may be anything. */
  async packOf(
    line: unknown,
    bytes: string,
    { query = '', signal }: { query?: string; signal?: AbortSignal } = {},
  ): Promise<{ status: number; body: Partial<PackAnswer> & { error?: { code: string } } }> {
    const answer = await fetch(`${this.app.portal.internalUrl}${INTERNAL_PATHS.pack}${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/octet-stream' },
      body: `${typeof line === 'string' ? line : JSON.stringify(line)}\n${bytes}`,
      signal,
    })
    return { status: answer.status, body: (await answer.json()) as Partial<PackAnswer> }
  }

  async remove(path: string): Promise<Uploaded> {
    const answer = await fetch(`${this.app.portal.internalUrl}/api/internal/output/delete`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ path }),
    })
    return { status: answer.status, body: (await answer.json()) as Uploaded['body'] }
  }

  /** How many connections the server has open on its internal listener: one less once it has seen that a sender is gone. */
  get connections(): number {
    const port = Number(new URL(this.app.portal.internalUrl).port).toString(16).toUpperCase().padStart(4, '0')
    const [ESTABLISHED, CLOSE_WAIT] = ['01', '08']
    const ends = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
    return ends.filter(([, local, , state]) => local?.endsWith(`:${port}`) && (state === ESTABLISHED || state === CLOSE_WAIT)).length
  }

  /** Speaks bare HTTP: the head of an upload, then `send`; resolves with all that came back until the end. */
  bare(path: string, head: string[], send: (write: (text: string) => void, end: () => void) => void): Promise<string> {
    return this.bareTo(`${INTERNAL_PATHS.upload}?path=${encodeURIComponent(path)}`, head, send)
  }

  /** As `bare`, for any path of the internal listener. */
  bareTo(target: string, head: string[], send: (write: (text: string) => void, end: () => void) => void): Promise<string> {
    const { hostname, port } = new URL(this.app.portal.internalUrl)
    return new Promise((resolve) => {
      let text = ''
      const socket = dial(Number(port), hostname, () => {
        socket.write(`POST ${target} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${this.token}\r\n${head.join('\r\n')}\r\n\r\n`)
        send(
          (more) => socket.write(more),
          () => socket.destroy(),
        )
      })
      socket.setTimeout(1500, () => socket.destroy())
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1')
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
    })
  }
}
