import { expect, test } from 'bun:test'
import { startTestApp } from '../support/app.ts'
import { dropTestDatabase } from '../support/database.ts'

test('without its database the portal lives, says so to people and probes, and asks for patience', async () => {
  const app = await startTestApp()
  try {
    const alice = await app.as('alice')
    const agent = await alice.createAgent()
    expect((await fetch(`${app.portal.url}/ready`)).status).toBe(200)
    await dropTestDatabase(app.databaseUrl)

    expect((await fetch(`${app.portal.url}/health`)).status).toBe(200)
    expect((await fetch(`${app.portal.url}/ready`)).status).toBe(503)
    for (const [method, path, body] of [
      ['GET', '/api/agents'],
      ['GET', `/api/agents/${agent}`],
      ['POST', '/api/agents', { name: 'x' }],
      ['GET', '/api/auth/registration-mode'],
      ['POST', '/api/auth/login', { username: 'alice', password: 'x' }],
    ] as const) {
      const answer = await alice.ask<{ error: { code: string; message: string } }>(method, path, body)
      expect({ path, status: answer.status, code: answer.body.error.code, wait: Number(answer.headers.get('retry-after')) > 0 }).toEqual({
        path,
        status: 503,
        code: 'database_down',
        wait: true,
      })
      expect(answer.body.error.message).not.toMatch(/test_|3D000|postgres|\.sock/)
    }
    const page = await alice.ask<string>('GET', '/login', undefined, { accept: 'text/html' })
    expect({ status: page.status, wait: page.headers.get('retry-after') }).toEqual({ status: 503, wait: '2' })
    expect(page.body).toContain('The database cannot be reached right now')
    expect(page.body).toContain(page.headers.get('x-request-id') ?? 'no id')
  } finally {
    await app.portal.stop()
  }
}, 60_000)
