// A sandbox's side of the internal listener, as tests speak it.
import { connect as dial } from 'node:net'
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

  async remove(path: string): Promise<Uploaded> {
    const answer = await fetch(`${this.app.portal.internalUrl}/api/internal/output/delete`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ path }),
    })
    return { status: answer.status, body: (await answer.json()) as Uploaded['body'] }
  }

  /** Speaks bare HTTP: the head of an upload, then `send`; resolves with all that came back until the end. */
  bare(path: string, head: string[], send: (write: (text: string) => void, end: () => void) => void): Promise<string> {
    const { hostname, port } = new URL(this.app.portal.internalUrl)
    return new Promise((resolve) => {
      let text = ''
      const socket = dial(Number(port), hostname, () => {
        socket.write(
          `POST /api/internal/output/upload?path=${encodeURIComponent(path)} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${this.token}\r\n${head.join('\r\n')}\r\n\r\n`,
        )
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
