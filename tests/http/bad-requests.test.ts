import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { type RawAnswer, rawHttp } from '../support/raw-http.ts'

let app: TestApp
let alice: Person
let host: string
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  host = `Host: ${new URL(app.portal.url).host}`
})
afterAll(() => app[Symbol.asyncDispose]())

const raw = (...lines: string[]): Promise<RawAnswer> => rawHttp(app.portal.url, [lines.join('\r\n')])
const get = (path: string, ...headers: string[]) => raw(`GET ${path} HTTP/1.1`, host, ...headers, '', '')
const json = (body: string, ...headers: string[]) => raw('POST /api/auth/login HTTP/1.1', host, 'Content-Type: application/json', ...headers, '', body)
/** A request that must never be executed when it hides behind a bad one. */
const HIDDEN = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
const codeOf = ({ text }: RawAnswer) => /"code":"(\w+)"/.exec(text)?.[1]

describe('paths', () => {
  test.each([
    '/static/%ff',
    '/static/%00',
    '/static/%2e%2e%2fmanifest.json',
    '/static/..%2f..%2fpackage.json',
    '//api/agents',
    '/api/agents;x',
    '/api%2fagents',
    '/API/agents',
    '/nothing',
    '/api/nothing',
  ])('%s is not there', async (path) => {
    const answer = await get(path, 'Accept: text/html')
    expect(answer.statuses).toEqual([404])
    expect(answer.text).toContain(path.startsWith('/api/') ? '"code":"not_found"' : '<!doctype html>')
    expect(answer.text).not.toContain(process.cwd())
  })

  test.each(['/static/../api/agents', '/api/agents/', '/api/agents/%31', '/api/./agents'])('%s passes no guard by', async (path) => {
    expect((await get(path)).statuses).toEqual([401])
  })

  test.each(['0x10', '1e3', '+1', '%201', '01', '1.0', '-1', '9'.repeat(30), '%ff', '%zz', '%00', 'constructor'])('the agent %s is not there', async (id) => {
    expect((await get(`/api/agents/${id}`, `Authorization: Bearer ${alice.token}`)).statuses).toEqual([404])
  })

  test.each(['%00', 'x', '__proto__', '0'.repeat(64)])('the login %s is not there', async (id) => {
    expect((await raw(`DELETE /api/auth/logins/${id} HTTP/1.1`, host, `Authorization: Bearer ${alice.token}`, '', '')).statuses).toEqual([404])
  })

  test.each(['__proto__', 'constructor', 'toString', '<b>x</b>'])('a word in the address that nobody knows says nothing: %s', async (word) => {
    const answer = await get(`/account?done=${encodeURIComponent(word)}`, `Authorization: Bearer ${alice.token}`, 'Accept: text/html')
    expect(answer.statuses).toEqual([200])
    expect(answer.text).not.toContain('<b>x</b>')
  })

  test.each(['agent_id=1&agent_id=2', 'agent_id=1&path=a&path=b'])('a parameter given twice is refused: %s', async (query) => {
    const answer = await get(`/api/workspace/output/files?${query}`, `Authorization: Bearer ${alice.token}`)
    expect(answer.statuses).toEqual([422])
  })

  test.each(['agent_id=0', 'agent_id=-1', 'agent_id=1.5', 'agent_id=1e9', 'agent_id=', 'agent_id=1&limit=0', `agent_id=1&after=${'x'.repeat(9000)}`])(
    'a bad query is refused: %s',
    async (query) => {
      const answer = await get(`/api/workspace/output/files?${query}`, `Authorization: Bearer ${alice.token}`)
      expect([404, 422]).toContain(answer.statuses[0] ?? 0)
    },
  )
})

describe('sizes', () => {
  test('headers of more than 16 KiB, and an address of 64 KiB', async () => {
    expect((await get('/health', `X: ${'a'.repeat(17 * 1024)}`)).statuses).toEqual([431])
    expect((await get(`/health?${'a'.repeat(64 * 1024)}`)).statuses).toEqual([431])
  })

  test('two hundred cookies are no login', async () => {
    expect((await get('/api/auth/me', `Cookie: ${Array.from({ length: 200 }, (_, at) => `c${at}=x`).join('; ')}`)).statuses).toEqual([401])
  })

  test('a body of ten gigabytes is refused before it is sent', async () => {
    const answer = await json('', 'Expect: 100-continue', `Content-Length: ${10 * 1024 ** 3}`)
    expect(answer.statuses.at(-1)).toBe(413)
    expect(answer.closed).toBe(true)
  })

  test('a body just over a megabyte, with and without a length', async () => {
    const body = 'x'.repeat(1024 * 1024 + 1)
    expect((await json(body, `Content-Length: ${body.length}`)).statuses).toEqual([413])
    expect((await json(`${body.length.toString(16)}\r\n${body}\r\n`, 'Transfer-Encoding: chunked')).statuses).toEqual([413])
  })
})

describe('framing', () => {
  test.each([
    ['a length beside chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${HIDDEN}`],
    ['two lengths', ['Content-Length: 2', 'Content-Length: 4'], `{}  ${HIDDEN}`],
    ['a negative length', ['Content-Length: -1'], `{}${HIDDEN}`],
    ['a length with a sign', ['Content-Length: +2'], `{}${HIDDEN}`],
    ['an unknown transfer coding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${HIDDEN}`],
    ['chunked that is not last', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${HIDDEN}`],
    ['a broken chunk', ['Transfer-Encoding: chunked'], `zz\r\n{}\r\n0\r\n\r\n${HIDDEN}`],
    ['a folded header', ['X-A: a', ' b', 'Content-Length: 2'], `{}${HIDDEN}`],
    ['a space before the colon', ['Content-Length : 2'], `{}${HIDDEN}`],
    ['a NUL in a header', ['X-A: a\0b', 'Content-Length: 2'], `{}${HIDDEN}`],
  ])('%s closes the connection, and nothing behind it is executed', async (_what, headers, body) => {
    const answer = await json(body, ...headers)
    expect(answer.statuses).toEqual([400])
    expect(answer.closed).toBe(true)
  })

  test('a body that a GET brings is not the next request', async () => {
    expect((await raw('GET /health HTTP/1.1', host, `Content-Length: ${HIDDEN.length}`, '', HIDDEN)).statuses).toEqual([200])
  })

  test('a body that is refused is not the next request either', async () => {
    const refused = await raw('POST /api/auth/login HTTP/1.1', host, 'Content-Type: text/plain', `Content-Length: ${HIDDEN.length}`, '', HIDDEN)
    expect(refused.statuses).toEqual([415])
    expect((await raw('DELETE /api/nothing HTTP/1.1', host, `Content-Length: ${HIDDEN.length}`, '', HIDDEN)).statuses).toEqual([404])
  })

  test('lines that end without a carriage return are no request', async () => {
    const answer = await rawHttp(app.portal.url, [`GET /health HTTP/1.1\n${host}\n\n`])
    expect(answer.statuses.every((status) => status >= 400)).toBe(true)
    expect(answer.closed).toBe(true)
  })
})

describe('bodies', () => {
  test.each([
    ['compressed', '{}', ['Content-Type: application/json', 'Content-Encoding: gzip'], 415],
    ['plain text', '{}', ['Content-Type: text/plain'], 415],
    ['a form', 'username=a&password=b', ['Content-Type: application/x-www-form-urlencoded'], 415],
    ['a form of parts', '--x--', ['Content-Type: multipart/form-data; boundary=x'], 415],
    ['no type', '{}', [], 415],
    ['nothing at all', '', ['Content-Type: application/json'], 400],
    ['cut JSON', '{"username":', ['Content-Type: application/json'], 400],
    ['ten thousand arrays', '['.repeat(10_000), ['Content-Type: application/json'], 400],
    ['ten thousand keys', JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, 1]))), ['Content-Type: application/json'], 422],
    ['a prototype', '{"__proto__":{"x":1},"username":"a","password":"b"}', ['Content-Type: application/json'], 422],
    ['a constructor', '{"constructor":{"prototype":{"x":1}},"username":"a","password":"b"}', ['Content-Type: application/json'], 422],
  ] as [string, string, string[], number][])('%s is refused', async (_what, body, headers, status) => {
    const answer = await raw('POST /api/auth/login HTTP/1.1', host, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body)
    expect(answer.statuses).toEqual([status])
    expect(answer.text).toMatch(/"request_id":"req_/)
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })

  test('bytes that are no UTF-8', async () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])
    const answer = await rawHttp(app.portal.url, [`POST /api/auth/login HTTP/1.1\r\n${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`, body])
    expect(answer.statuses).toEqual([400])
  })

  test('JSON is no form of a page', async () => {
    expect((await raw('POST /login HTTP/1.1', host, 'Content-Type: application/json', 'Content-Length: 2', '', '{}')).statuses).toEqual([415])
  })
})

describe('methods', () => {
  test.each(['TRACE', 'CONNECT', 'OPTIONS', 'PATCH'])('%s is not allowed, and what is allowed is said', async (method) => {
    const answer = await raw(`${method} /api/agents HTTP/1.1`, host, 'Content-Length: 0', '', '')
    expect(answer.statuses).toEqual([405])
    expect(answer.text.toLowerCase()).toContain('allow: get, head, post')
    expect(codeOf(answer)).toBe('method_not_allowed')
  })

  test.each(['BREW', 'get'])('%s is no method', async (method) => {
    const answer = await raw(`${method} /health HTTP/1.1`, host, '', '')
    expect(answer.statuses).toEqual([])
    expect(answer.closed).toBe(true)
  })

  test('a header does not override the method', async () => {
    const id = await alice.createAgent('Kept')
    await fetch(`${app.portal.url}/api/agents/${id}`, { headers: { authorization: `Bearer ${alice.token}`, 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' } })
    expect((await alice.ask('GET', `/api/agents/${id}`)).status).toBe(200)
  })
})

describe('hosts and peers', () => {
  test.each([
    ['another name', 'GET /login HTTP/1.1', ['Host: evil.test']],
    ['two names', 'GET /login HTTP/1.1', ['Host: localhost', 'Host: evil.test']],
  ] as [string, string, string[]][])('%s is misdirected', async (_what, line, headers) => {
    const answer = await raw(line, ...headers, '', '')
    expect(answer.statuses).toEqual([421])
    expect(answer.text).not.toContain('evil.test')
  })

  test('forwarded names and addresses of a stranger count for nothing', async () => {
    const forwarded = ['X-Forwarded-Host: evil.test', 'X-Forwarded-Proto: https', 'X-Forwarded-For: 203.0.113.7']
    expect((await get('/login', ...forwarded)).text).not.toContain('evil.test')
    for (let at = 0; at < 6; at++) {
      const body = JSON.stringify({ username: 'somebody', password: 'wrong' })
      const answer = await json(body, `Content-Length: ${body.length}`, `X-Forwarded-For: 203.0.113.${at}`)
      expect(answer.statuses).toEqual([at < 5 ? 401 : 429])
    }
  })
})

describe('cookies', () => {
  test.each(['sac=garbage', `sac=${'x'.repeat(4096)}`, 'sac=a; sac=b', '__proto__=x; sac=__proto__'])('%s opens nothing and is taken away', async (cookie) => {
    const answer = await get('/api/auth/me', `Cookie: ${cookie}`)
    expect(answer.statuses).toEqual([401])
    expect(answer.text).toMatch(/set-cookie: sac=; .*Max-Age=0/i)
  })

  test('a cookie that somebody planted is replaced at the sign-in', async () => {
    const answer = await fetch(`${app.portal.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: 'sac=planted' },
      body: JSON.stringify({ username: 'alice', password: 'a phrase for testing' }),
    })
    expect(answer.headers.get('set-cookie')).toMatch(/^sac=eyJ/)
  })

  test.each(['https://evil.test', '//evil.test', '/\\evil.test', 'javascript:alert(1)'])('a sign-in does not lead to %s', async (next) => {
    const answer = await fetch(`${app.portal.url}/login`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ login: 'alice', password: 'a phrase for testing', next }),
    })
    expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({ status: 303, location: '/' })
  })
})

describe('terminal sockets', () => {
  const upgrade = (path: string, ...headers: string[]) =>
    raw(`GET ${path} HTTP/1.1`, host, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers, '', '')

  test('nobody, another site, no session and no upgrade are told apart before a socket opens', async () => {
    const session = '/ws/00000000-0000-4000-8000-000000000000'
    const login = `Authorization: Bearer ${alice.token}`
    expect((await upgrade(session)).statuses).toEqual([401])
    for (const origin of ['https://evil.test', 'null', `${app.portal.url}.evil.test`]) expect((await upgrade(session, login, `Origin: ${origin}`)).statuses).toEqual([403])
    expect((await upgrade(session, login)).statuses).toEqual([404])
    expect((await upgrade('/ws/x', login)).statuses).toEqual([404])
    expect((await upgrade(`${session}?ticket=guess`)).statuses).toEqual([401])
    expect((await upgrade(`${session}?token=${alice.token}`)).statuses).toEqual([401])
  })
})
