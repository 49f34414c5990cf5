import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { PASSWORD, type Person, startTestApp, type TestApp } from '../support/app.ts'

const HOST = 'sac.example.com'

let app: TestApp
let alice: Person
let agent: number
beforeAll(async () => {
  app = await startTestApp({ env: { PUBLIC_URL: `https://${HOST}` } })
  alice = await app.as('alice')
  agent = await alice.createAgent()
})
afterAll(() => app[Symbol.asyncDispose]())

async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const aborter = new AbortController()
  const answer = await fetch(app.portal.url + path, { method, redirect: 'manual', signal: aborter.signal, headers: { host: HOST, ...headers }, body })
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) await answer.arrayBuffer()
  aborter.abort()
  return answer
}

describe('every answer says how it may be used', () => {
  test.each([
    ['a page', 'GET', '/login', 200],
    ['a page of mine', 'GET', '/account', 200],
    ['a redirect', 'GET', '/', 303],
    ['JSON', 'GET', '/api/auth/me', 200],
    ['nothing', 'DELETE', '/api/auth/logins/x', 404],
    ['a refusal', 'POST', '/api/agents', 415],
    ['a wrong method', 'PATCH', '/api/agents', 405],
    ['a page that is not there', 'GET', '/nothing', 404],
    ['an API that is not there', 'GET', '/api/nothing', 404],
    ['a part of a page', 'GET', '/agents/:id/output', 200],
    ['a stream', 'GET', '/api/workspace/output/watch?agent_id=:id', 200],
    ['an asset that is not there', 'GET', '/static/nothing.js', 404],
  ])('%s: %s %s', async (_what, method, path, status) => {
    const answer = await ask(
      method,
      path.replace(':id', String(agent)),
      { authorization: `Bearer ${alice.token}`, accept: path.startsWith('/api/') ? 'application/json' : 'text/html' },
      method === 'POST' ? 'x' : undefined,
    )
    expect(answer.status).toBe(status)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'strict-transport-security': expect.stringContaining('max-age=31536000') as unknown as string,
      'x-request-id': expect.stringMatching(/^req_/) as unknown as string,
    })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    if (answer.headers.get('content-type')?.startsWith('text/html') && !path.includes('output'))
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  test('assets are kept for ever, and their names change with what is in them', async () => {
    const page = await (await fetch(`${app.portal.url}/login`, { headers: { host: HOST, accept: 'text/html' } })).text()
    const [path = ''] = /\/static\/[\w.-]+\.css/.exec(page) ?? []
    const answer = await ask('GET', path)
    expect({ status: answer.status, caching: answer.headers.get('cache-control'), sniff: answer.headers.get('x-content-type-options') }).toEqual({
      status: 200,
      caching: 'public, max-age=31536000, immutable',
      sniff: 'nosniff',
    })
  })
})

test('behind TLS the login cookie belongs to this host alone, and scripts do not see it', async () => {
  const form = new URLSearchParams({ login: 'alice', password: PASSWORD }).toString()
  const page = await ask('POST', '/login', { 'content-type': 'application/x-www-form-urlencoded', origin: `https://${HOST}` }, form)
  const api = await ask('POST', '/api/auth/login', { 'content-type': 'application/json' }, JSON.stringify({ username: 'alice', password: PASSWORD }))
  for (const answer of [page, api]) expect(answer.headers.get('set-cookie')).toMatch(/^__Host-sac=eyJ[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=86400; Secure$/)
  const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await ask('GET', '/api/auth/me', { cookie })).status).toBe(200)
  // The name of plain http is not taken here: a page of a sister domain could have set it.
  expect((await ask('GET', '/api/auth/me', { cookie: cookie.replace('__Host-', '') })).status).toBe(401)
  const out = await ask('POST', '/logout', { cookie, origin: `https://${HOST}` })
  expect(out.headers.get('set-cookie')).toMatch(/^__Host-sac=; .*Max-Age=0; Secure$/)
  expect((await ask('GET', '/api/auth/me', { cookie })).status).toBe(401)
})

test.each([`http://${HOST}`, `https://${HOST}:8443`, `https://${HOST}.evil.test`, 'https://evil.test', 'null'])('a form of %s signs nobody in', async (origin) => {
  const form = new URLSearchParams({ login: 'alice', password: PASSWORD }).toString()
  const answer = await ask('POST', '/login', { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', origin }, form)
  expect({ status: answer.status, cookie: answer.headers.get('set-cookie') }).toEqual({ status: 403, cookie: null })
})
