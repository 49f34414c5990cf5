import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { users } from '../../src/db/schema.ts'
import { until } from '../../src/lib/until.ts'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const post = (path: string, body: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  fetch(app.portal.url + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body), redirect: 'manual' })
const errorOf = async (answer: Response) => ((await answer.json()) as { error: { code: string; request_id: string } }).error

test('registration follows the mode, and fails closed without one', async () => {
  const { settings, invitations, users } = app.portal.context
  const body = { username: 'carla', email: 'carla@example.com', password: PASSWORD }
  expect((await errorOf(await post('/api/auth/register', body))).code).toBe('registration_closed')
  await app.admin()
  const admin = await users.checkPassword('admin', PASSWORD, 'test')
  const { code } = await invitations.make(admin, 'carla@example.com')
  expect((await post('/api/auth/register', { ...body, email: 'other@example.com', invitation: code })).status).toBe(422)
  expect((await post('/api/auth/register', { ...body, invitation: code })).status).toBe(201)
  expect((await post('/api/auth/register', { ...body, username: 'carlb', invitation: code })).status).toBe(403)
  await settings.set('registration_mode', 'closed', undefined)
  expect((await post('/api/auth/register', { ...body, username: 'dora', email: 'd@example.com' })).status).toBe(403)
})

test('twenty people who want one name get one account', async () => {
  await app.portal.context.settings.set('registration_mode', 'open', undefined)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => post('/api/auth/register', { username: 'twin', email: `twin${at}@example.com`, password: PASSWORD })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
}, 30_000)

test.each([
  [{ username: 'a@b' }, 'username_invalid'],
  [{ username: 'x' }, 'username_invalid'],
  [{ username: 'аdmin' }, 'username_invalid'],
  [{ password: 'short' }, 'password_too_short'],
  [{ password: 'password1234' }, 'password_too_common'],
  [{ password: 'x'.repeat(300) }, 'password_too_long'],
  [{ email: 'no' }, 'email_invalid'],
  [{ role: 'admin' }, 'unknown_field'],
])('registration with %j is refused as %s', async (change, code) => {
  const answer = await post('/api/auth/register', { username: 'someone', email: 'someone@example.com', password: PASSWORD, ...change })
  expect(answer.status).toBe(422)
  expect((await errorOf(answer)).code).toBe(code)
})

test('wrong, unknown and disabled sign-ins get the same answer, and the sixth waits', async () => {
  await app.as('erin')
  const tries = []
  for (const username of ['erin', 'nobody-here']) tries.push(await errorOf(await post('/api/auth/login', { username, password: 'wrong' })))
  expect({ ...tries[0], request_id: '' }).toEqual({ ...tries[1], request_id: '' })
  let last = 0
  for (let at = 0; at < 6; at++) {
    const answer = await post('/api/auth/login', { username: 'erin', password: 'wrong' })
    last = answer.status
    if (last === 429) expect(Number(answer.headers.get('retry-after'))).toBeWithin(1, 61)
  }
  expect(last).toBe(429)
}, 30_000)

test('forged tokens open nothing', async () => {
  const alice = await app.as('alice')
  const [head = '', body = '', signature = ''] = alice.token.split('.')
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
  const forged = [
    '',
    'x',
    `${head}.${body}.`,
    `${encode({ alg: 'none' })}.${body}.`,
    `${encode({ alg: 'RS256' })}.${body}.${signature}`,
    `${head}.${encode({ ...claims, sub: '1' })}.${signature}`,
    `${head}.${encode({ ...claims, exp: 1 })}.${signature}`,
    'y'.repeat(10_000),
  ]
  for (const token of forged) expect((await fetch(`${app.portal.url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
  expect((await fetch(`${app.portal.url}/api/auth/me?token=${alice.token}`)).status).toBe(401)
  expect((await alice.ask('GET', '/api/auth/me')).status).toBe(200)
})

test('a cookie works from our own pages only', async () => {
  const bob = await app.as('bob')
  const cookie = `sac=${bob.token}`
  const logout = (headers: Record<string, string>) => fetch(`${app.portal.url}/api/auth/logins`, { method: 'DELETE', headers: { cookie, ...headers } })
  for (const headers of [{ origin: 'https://evil.test' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {}] as Record<string, string>[]) {
    const answer = await logout(headers)
    expect(answer.status).toBe(403)
    expect((await errorOf(answer)).code).toBe('csrf_failed')
  }
  expect((await logout({ origin: app.portal.url, 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  expect((await fetch(`${app.portal.url}/api/auth/me`, { headers: { cookie: `${cookie}; sac=other` } })).status).toBe(401)
})

test('an ended login stops working at once, and its event stream ends', async () => {
  const frank = await app.as('frank')
  const agent = await frank.createAgent()
  const stream = await fetch(`${app.portal.url}/api/workspace/output/watch?agent_id=${agent}`, { headers: { authorization: `Bearer ${frank.token}` } })
  const reader = stream.body?.getReader()
  await reader?.read()
  expect((await frank.ask('POST', '/api/auth/logout')).status).toBe(200)
  expect((await frank.ask('GET', '/api/auth/me')).status).toBe(401)
  let over = false
  void reader?.read().then(({ done }) => {
    over = done
  })
  await until(() => over, { what: 'the end of the stream' })
})

test('the event stream of an account that is disabled ends within seconds', async () => {
  const hugo = await app.as('hugo')
  const stream = await fetch(`${app.portal.url}/events`, { headers: { authorization: `Bearer ${hugo.token}` } })
  let isOver = false
  void stream.text().then(() => {
    isOver = true
  })
  await app.portal.context.database.db.update(users).set({ disabledAt: new Date() }).where(eq(users.username, 'hugo'))
  await until(() => isOver, { timeoutMs: 8000, what: 'the end of the stream' })
  await until(async () => (await hugo.ask('GET', '/api/auth/me')).status === 401, { what: 'the end of the login' })
}, 20_000)

test('a changed password ends the other logins and keeps this one', async () => {
  const gina = await app.as('gina')
  const other = (await (await post('/api/auth/login', { username: 'gina', password: PASSWORD })).json()) as { token: string }
  expect((await gina.ask('PUT', '/api/auth/password', { current_password: 'no', new_password: 'another good phrase' })).status).toBe(422)
  expect((await gina.ask('PUT', '/api/auth/password', { current_password: PASSWORD, new_password: 'another good phrase' })).status).toBe(200)
  expect((await gina.ask('GET', '/api/auth/me')).status).toBe(200)
  expect((await fetch(`${app.portal.url}/api/auth/me`, { headers: { authorization: `Bearer ${other.token}` } })).status).toBe(401)
})

test.each([
  ['truncated JSON', '{"username":', 'application/json', 400],
  ['nested arrays', '['.repeat(10_000), 'application/json', 400],
  ['an empty body', '', 'application/json', 400],
  ['a prototype', '{"__proto__":{"x":1},"username":"a","password":"b"}', 'application/json', 422],
  ['plain text', '{}', 'text/plain', 415],
  ['a megabyte too much', `{"username":"${'x'.repeat(1024 * 1024 + 1)}"}`, 'application/json', 413],
  ['a number for a name', '{"username":1,"password":"x"}', 'application/json', 422],
])('%s is refused', async (_what, body, type, status) => {
  const answer = await post('/api/auth/login', body, { 'content-type': type })
  expect(answer.status).toBe(status)
  const error = await errorOf(answer)
  expect(error.request_id).toBe(answer.headers.get('x-request-id') ?? '')
})

test('another host name is misdirected, and pages carry their policy', async () => {
  expect((await fetch(`${app.portal.url}/login`, { headers: { host: 'evil.test' } })).status).toBe(421)
  const page = await fetch(`${app.portal.url}/login`, { headers: { accept: 'text/html' } })
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline/)
  const html = await page.text()
  expect(html).toStartWith('<!doctype html>')
  expect(html).not.toMatch(/ style="| on\w+="|javascript:/)
})
