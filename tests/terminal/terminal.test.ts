import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { TerminalClient } from '../support/terminal-client.ts'

let app: TestApp
let alice: Person
let session: string
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  session = await alice.startAgent(await alice.createAgent())
}, 60_000)
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
  const resume = { stream: first.status?.stream ?? '', offset: (first.status?.offset ?? 0) + first.bytes }
  first.socket.close()
  const seen = first.text
  await first.ends()
  const second = open(alice, {}, { ...resume, offset: resume.offset })
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

test('strangers, other sites and ended logins get no terminal', async () => {
  const bob = await app.as('bob')
  for (const client of [open(bob), open(alice, { origin: 'https://evil.test' }), open(alice, { origin: 'null' }), new TerminalClient(`${app.portal.url}/ws/${session}`)])
    expect(await client.ends()).not.toBe(1000)
  const second = await app.portal.context.logins.open(await app.portal.context.users.checkPassword('alice', 'a phrase for testing', 'x'), { userAgent: '', address: '' })
  const client = new TerminalClient(`${app.portal.url}/ws/${session}`, { authorization: `Bearer ${second.token}` })
  await client.shows('$')
  await app.portal.context.logins.end(await app.portal.context.users.checkPassword('alice', 'a phrase for testing', 'x'), second.loginId)
  expect(await client.ends()).toBe(4401)
})

test('a ticket opens one terminal once', async () => {
  const { body } = await alice.ask<{ path: string }>('POST', `/api/sessions/${session}/ticket`)
  const client = new TerminalClient(app.portal.url + body.path)
  await client.shows('$')
  client.socket.close()
  expect(await new TerminalClient(app.portal.url + body.path).ends()).not.toBe(1000)
})

test('text frames and unknown frames are closed with 1003, and the terminal lives', async () => {
  const text = open()
  await text.shows('$')
  text.socket.send('0ls')
  expect(await text.ends()).toBe(1003)
  const unknown = open()
  await unknown.shows('$')
  unknown.frame('9')
  expect(await unknown.ends()).toBe(1003)
  const fine = open()
  await fine.shows('$')
  fine.socket.close()
})

test('the ninth tab of a terminal is refused with 4429', async () => {
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
