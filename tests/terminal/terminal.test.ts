import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { until } from '../../src/lib/until.ts'
import { logins as loginRows } from '../../src/users/schema.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { TerminalClient } from '../support/terminal-client.ts'

setDefaultTimeout(60_000)
let app: TestApp
let alice: Person
let session: string
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  session = await alice.startAgent(await alice.createAgent())
})
afterAll(() => app[Symbol.asyncDispose]())

const open = (person = alice, headers: Record<string, string> = {}, resume?: { stream: string; offset: number }) =>
  new TerminalClient(`${app.portal.url}/ws/${session}`, { authorization: `Bearer ${person.token}`, ...headers }, resume)

test('two tabs see the same, and a third one that comes later too', async () => {
  const [first, second] = [open(), open()]
  await first.shows('$')
  first.type('echo same-$((40+2))\r')
  await Promise.all([first.shows('same-42'), second.shows('same-42')])
  const third = open()
  await third.shows('same-42')
  for (const client of [first, second, third]) client.socket.close()
})

test('a connection that was cut goes on at its byte, without a gap or a double', async () => {
  const first = open()
  await first.shows('$')
  first.type('for i in $(seq 1 400); do echo line-$i-end; sleep 0.002; done; echo all-done\r')
  await first.shows('line-50-end')
  const resume = { stream: first.status?.stream ?? '', offset: first.offset }
  first.socket.close()
  const seen = first.text
  await first.ends()
  const second = open(alice, {}, resume)
  await second.shows('all-done\r\n')
  // The shell switches bracketed paste off before the first line.
  const text = (seen + second.text).replace(/\r|\u001b\[\?2004[hl]/g, '')
  const numbers = [...text.matchAll(/^line-(\d+)-end$/gm)].map((match) => Number(match[1]))
  expect(numbers).toEqual(Array.from({ length: 400 }, (_, at) => at + 1))
  second.socket.close()
})

test('Ctrl-C ends a flood although the reader has stopped reading', async () => {
  const client = open()
  await client.shows('$')
  client.type('yes\r')
  await until(() => client.bytes > 1_000_000, { what: 'a flood' })
  client.frame('2')
  client.type('\u0003')
  client.frame('3')
  client.type('echo after-$((1+1))\r')
  await client.shows('after-2')
  client.socket.close()
})

const plain = (path: string, headers: Record<string, string> = {}) => fetch(app.portal.url + path, { headers: { accept: 'application/json', ...headers } })
const upgrade = (path: string, headers: Record<string, string> = {}) =>
  plain(path, { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers })

test('who may not open the terminal is told by a status before the upgrade, and no upstream is opened', async () => {
  const bob = await app.as('bob')
  const mine = { authorization: `Bearer ${alice.token}` }
  const before = app.portal.context.hub.counts
  const path = `/ws/${session}`
  const origin = app.portal.url
  for (const [headers, status] of [
    [{}, 401],
    [{ authorization: `Bearer ${alice.token}x` }, 401],
    [{ authorization: `Bearer ${bob.token}` }, 404],
    ...['https://evil.test', 'null', `${origin}.evil.test`, `${origin}0`, origin.replace('http:', 'https:').replace(/:\d+$/, ''), 'http://localhost'].map(
      (other) => [{ ...mine, origin: other }, 403] as const,
    ),
  ] as const)
    expect([headers, (await upgrade(path, headers as Record<string, string>)).status]).toEqual([headers, status])
  expect((await upgrade(`/ws/${crypto.randomUUID()}`, mine)).status).toBe(404)
  expect((await upgrade('/ws/1%20or%201=1', mine)).status).toBe(404)
  expect((await upgrade(`${path}?token=${alice.token}`)).status).toBe(401)
  expect((await upgrade(`${path}?ticket=none`, mine)).status).toBe(401)
  expect((await plain(path, mine)).status).toBe(426)
  expect(app.portal.context.hub.counts).toEqual(before)
})

test('the cookie opens it from our own page only', async () => {
  const cookie = { cookie: `sac=${alice.token}` }
  const own = open({ token: '' } as Person, { ...cookie, authorization: '', origin: app.portal.url })
  await own.shows('$')
  own.socket.close()
  expect((await upgrade(`/ws/${session}`, { ...cookie, origin: 'https://evil.test' })).status).toBe(403)
})

test.each(['told to the portal', 'known to the database alone'])('a login that ends, %s, closes its terminals with 4401', async (how) => {
  const { logins, users, database } = app.portal.context
  const user = await users.checkPassword('alice', 'a phrase for testing', 'x')
  const { token, loginId } = await logins.open(user, { userAgent: '', address: '' })
  const [client, other] = [open({ token } as Person), open()]
  await Promise.all([client.shows('$'), other.shows('$')])
  if (how.startsWith('told')) await logins.end(user, loginId)
  else await database.db.delete(loginRows).where(eq(loginRows.id, loginId))
  expect(await client.ends()).toBe(4401)
  expect(other.closed).toBeUndefined()
  other.socket.close()
})

test('a stopped session, a deleted one and a deleted agent close their terminals with 4404', async () => {
  const agentId = await alice.createAgent('Short-lived')
  for (const [method, path] of [
    ['POST', () => `/api/agents/${agentId}/stop`],
    ['DELETE', (id: string) => `/api/sessions/${id}`],
    ['DELETE', () => `/api/agents/${agentId}`],
  ] as const) {
    const id = await alice.startAgent(agentId)
    const client = new TerminalClient(`${app.portal.url}/ws/${id}`, { authorization: `Bearer ${alice.token}` })
    await client.shows('$')
    expect((await alice.ask(method, path(id))).status).toBeLessThan(300)
    expect(await client.ends()).toBe(4404)
    expect((await upgrade(`/ws/${id}`, { authorization: `Bearer ${alice.token}` })).status).toBe(404)
  }
})

test('a ticket opens one terminal once', async () => {
  const { body } = await alice.ask<{ path: string }>('POST', `/api/sessions/${session}/ticket`)
  const client = new TerminalClient(app.portal.url + body.path)
  await client.shows('$')
  client.socket.close()
  expect(await new TerminalClient(app.portal.url + body.path).ends()).not.toBe(1000)
})

test('a ticket is for one session only, and nobody keeps more than twenty', async () => {
  const other = await alice.startAgent(await alice.createAgent('Other'))
  const { body } = await alice.ask<{ ticket: string }>('POST', `/api/sessions/${session}/ticket`)
  expect((await upgrade(`/ws/${other}?ticket=${body.ticket}`)).status).toBe(401)
  // It was shown to the wrong one: it is used up.
  expect((await upgrade(`/ws/${session}?ticket=${body.ticket}`)).status).toBe(401)
  const tickets = await Promise.all(Array.from({ length: 21 }, async () => (await alice.ask<{ ticket: string }>('POST', `/api/sessions/${session}/ticket`)).body.ticket))
  const bob = await app.as('robert')
  expect((await bob.ask('POST', `/api/sessions/${session}/ticket`)).status).toBe(404)
  expect((await Promise.all(tickets.map((ticket) => plain(`/ws/${session}?ticket=${ticket}`)))).map(({ status }) => status).sort()).toEqual([401, ...Array(20).fill(426)])
})

test.each([
  ['text', [rawFrame(0x81, Buffer.from('0ls'))], 1003],
  ['broken UTF-8 as text', [rawFrame(0x81, Buffer.from([0x30, 0xff, 0xfe]))], 1007],
  ['an unknown type', [rawFrame(0x82, Buffer.from('9'))], 1003],
  ['a message of more than 64 KiB', [rawFrame(0x82, Buffer.alloc(64 * 1024 + 1, '0'))], 1009],
  // In pieces of one byte; the pieces make a message that is too large, too.
  ['a hundred thousand pieces', [rawFrame(0x02, Buffer.from('0')), ...Array.from({ length: 100_000 }, () => rawFrame(0x00, Buffer.from('x')))], 1009],
  ['a compressed message, which was not agreed', [rawFrame(0xc2, Buffer.from('0x'))], 1002],
])('%s closes the socket, and the terminal lives', async (_what, frames, code) => {
  const watcher = open()
  await watcher.shows('$')
  const ended = await rawSocket(frames)
  // Some refusals of the transport come without a word.
  expect([code, 1006]).toContain(ended)
  watcher.type('echo alive-$((6*7))\r')
  await watcher.shows('alive-42')
  watcher.socket.close()
})

test('the ninth tab of a terminal is refused with 4429', async () => {
  await until(() => app.portal.context.hub.counts.viewers === 0, { timeoutMs: 15_000, what: 'nobody left' })
  const clients = Array.from({ length: 8 }, () => open())
  await Promise.all(clients.map((client) => until(() => client.status)))
  expect(await open().ends()).toBe(4429)
  for (const client of clients) client.socket.close()
  await until(() => app.portal.context.hub.counts.viewers === 0, { what: 'everybody gone' })
})

test('the terminal outlives the server', async () => {
  const before = open()
  await before.shows('$')
  before.type('marker=survived-$((6*7)); echo noted-$((2*2))\r')
  await before.shows('noted-4')
  await app.restart()
  expect(await before.ends()).toBe(1012)
  const after = open()
  await until(() => after.status, { what: 'a status' })
  await until(() => app.portal.context.hub.counts.viewers === 1)
  await until(
    () => {
      if (after.socket.readyState === WebSocket.OPEN) after.type('echo [$marker]\r')
      return after.text.includes('[survived-42]')
    },
    { timeoutMs: 15_000, intervalMs: 200, what: 'the shell of before' },
  )
  after.socket.close()
})

/** A frame as a client sends it, masked with zeros. */
function rawFrame(first: number, body: Buffer): Buffer {
  const length =
    body.length < 126
      ? [0x80 | body.length]
      : body.length < 65_536
        ? [0xfe, body.length >> 8, body.length & 255]
        : [0xff, 0, 0, 0, 0, ...new Uint8Array(new Uint32Array([body.length]).buffer).reverse()]
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), body])
}

/** Greets as a client does, sends frames that no client library would, and returns the code of the end. */
async function rawSocket(frames: Buffer[]): Promise<number> {
  const heard: Buffer[] = []
  const all = () => Buffer.concat(heard)
  let over = false
  const out: Buffer[] = [
    Buffer.from(
      `GET /ws/${session} HTTP/1.1\r\nHost: ${new URL(app.portal.url).host}\r\nAuthorization: Bearer ${alice.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    ),
  ]
  const flush = (socket: Bun.Socket) => {
    for (let next = out[0]; next; next = out[0]) {
      const written = socket.write(next)
      if (written < next.length) {
        out[0] = next.subarray(Math.max(0, written))
        return
      }
      out.shift()
    }
  }
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: Number(new URL(app.portal.url).port),
    socket: {
      data: (_socket, bytes) => {
        heard.push(Buffer.from(bytes))
      },
      drain: flush,
      close: () => {
        over = true
      },
      error: () => {
        over = true
      },
    },
  })
  flush(socket)
  await until(() => all().includes('\r\n\r\n'), { what: 'the upgrade' })
  out.push(rawFrame(0x82, Buffer.from('{"AuthToken":"","columns":80,"rows":24}')), Buffer.concat(frames))
  flush(socket)
  await until(() => over, { timeoutMs: 15_000, what: 'the end of the socket' })
  const bytes = all()
  const close = bytes.lastIndexOf(0x88)
  return close >= 0 && bytes.length - close >= 4 && bytes.length - close < 127 ? bytes.readUInt16BE(close + 2) : 1006
}
