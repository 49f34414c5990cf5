import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { connect } from 'node:net'
import { EventStreams, MAX_PER_LOGIN } from '../../src/http/sse.ts'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { EventListener } from '../support/event-listener.ts'
import { Sandbox } from '../workspace/sandbox.ts'

setDefaultTimeout(30_000)

let app: TestApp
let alice: Person
let box: Sandbox
let path = ''
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  box = await Sandbox.of(app, alice)
  path = `/api/workspace/output/watch?agent_id=${box.agentId}`
})
afterAll(() => app[Symbol.asyncDispose]())

const listen = (lastId?: string, person = alice) => new EventListener(() => app.portal.url + path, person.token, { lastId })
const opened = (listener: EventListener) => until(() => listener.opened > 0, { what: 'an open stream' })

test('a stranger hears nothing of an agent, and nobody without a login', async () => {
  const mallory = await app.as('mallory')
  expect((await mallory.ask('GET', path)).status).toBe(404)
  expect((await fetch(app.portal.url + path)).status).toBe(401)
})

test.each(['garbage', '-1', '999999999', '1e3', '0x10', '９'])('the position %j leads to a resync and then to what is new', async (lastId) => {
  await box.upload('before', `before ${lastId}`)
  const listener = listen(encodeURIComponent(lastId))
  await until(() => listener.heard.length > 0, { what: 'a first event' })
  expect(listener.heard[0]?.event).toBe('resync')
  const { seq } = (await box.upload('after', `after ${lastId}`)).body
  await until(() => listener.changes.length > 0, { what: 'the change' })
  expect([listener.changes, listener.opened]).toEqual([[expect.objectContaining({ path: 'after', seq })], 1])
  await listener.end()
})

test('whoever joins in the middle of many changes hears each of them once, in order', async () => {
  const start = (await box.upload('joining', 'start')).body.seq ?? 0
  const listeners: EventListener[] = []
  const changes = Array.from({ length: 300 }, (_, at) => at)
  const uploader = async () => {
    for (let at = changes.shift(); at !== undefined; at = changes.shift()) {
      if (at % 15 === 0) listeners.push(listen(String(start)))
      await box.upload(`joining/${at % 40}`, `change ${at}`)
    }
  }
  await box.remove('joining')
  await Promise.all(Array.from({ length: 8 }, uploader))
  const last = start + 301
  await until(() => listeners.every((listener) => listener.changes.at(-1)?.seq === last), { timeoutMs: 15_000, what: 'the last change everywhere' })
  for (const listener of listeners) {
    const seqs = listener.changes.map(({ seq }) => seq)
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
    // A path that changed again before it was read is told once, with its newest change.
    expect(new Set(listener.changes.map(({ path }) => path)).size).toBe(41)
  }
  await Promise.all(listeners.map((listener) => listener.end()))
})

test('deleted files are forgotten after a day, and who asks from before that is told to start afresh', async () => {
  const { outputs } = app.portal.context
  for (const name of ['gone-1', 'gone-2', 'stays']) await box.upload(`tombs/${name}`, name)
  const start = await outputs.lastSeq(box.agentId)
  for (const name of ['gone-1', 'gone-2']) await box.remove(`tombs/${name}`)
  await outputs.forgetTombstones()
  const patient = listen(String(start))
  await until(() => patient.changes.length === 2, { what: 'both removals' })
  await patient.end()
  await outputs.forgetTombstones(Date.now() + 25 * 60 * 60 * 1000)
  expect(await outputs.changesAfter(box.agentId, start)).toEqual([])
  const late = listen(String(start))
  await until(() => late.heard.length > 0, { what: 'a first event' })
  expect(late.heard[0]).toMatchObject({ event: 'resync', id: String(start + 2) })
  const { seq } = (await box.upload('tombs/gone-1', 'again')).body
  await until(() => late.changes.length > 0, { what: 'the change' })
  expect(late.changes).toEqual([expect.objectContaining({ path: 'tombs/gone-1', seq })])
  expect(seq).toBe(start + 3)
  await late.end()
})

test('a listener that does not read costs little, is told to resync, and delays nobody', async () => {
  const { streams } = app.portal.context
  const reader = listen()
  await opened(reader)
  const { hostname, port } = new URL(app.portal.url)
  const stalled = connect(Number(port), hostname)
  stalled.pause()
  stalled.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`)
  await until(() => streams.size === 2, { what: 'two streams' })
  const noise = Buffer.from(`: ${'x'.repeat(64 * 1024)}\n\n`)
  let sent = 0
  // More than what the kernel takes for a reader that sleeps, in pieces that the other one swallows.
  await until(
    () => {
      for (const stream of streams.each()) stream.send(noise)
      sent += noise.byteLength
      return streams.size === 1
    },
    { timeoutMs: 20_000, intervalMs: 1, what: 'the end of the stalled stream' },
  )
  expect(sent).toBeLessThan(16 * 1024 ** 2)
  await box.upload('still-heard', 'x')
  await until(() => reader.changes.some((change) => change.path === 'still-heard'), { what: 'the change' })
  stalled.destroy()
  await reader.end()
  await until(() => streams.size === 0, { what: 'no stream' })
  expect(app.portal.context.feed.size).toBe(0)
})

test('one login opens a hundred streams, is refused more, and gets room again', async () => {
  const carol = await app.as('carol')
  const agent = await Sandbox.of(app, carol)
  const url = `${app.portal.url}/api/workspace/output/watch?agent_id=${agent.agentId}`
  const listeners = Array.from({ length: MAX_PER_LOGIN }, () => new EventListener(() => url, carol.token))
  await until(() => listeners.every((listener) => listener.opened === 1), { timeoutMs: 15_000, what: 'all streams' })
  const refused = await carol.ask('GET', `/api/workspace/output/watch?agent_id=${agent.agentId}`)
  expect(refused).toMatchObject({ status: 429, body: { error: { code: 'too_many_streams' } } })
  expect(refused.headers.get('retry-after')).toBe('10')
  await Promise.all(listeners.map((listener) => listener.end()))
  await until(() => app.portal.context.streams.size === 0, { what: 'no stream' })
  const again = new EventListener(() => url, carol.token)
  await opened(again)
  await again.end()
})

test('ended logins lose their streams within moments', async () => {
  const { users, logins } = app.portal.context
  const dave = await app.as('dave')
  const agent = await dave.createAgent()
  const user = await users.checkPassword('dave', 'a phrase for testing', 'test')
  const listener = new EventListener(() => `${app.portal.url}/api/workspace/output/watch?agent_id=${agent}`, dave.token)
  await opened(listener)
  await logins.endAll(user)
  await until(() => listener.status === 401, { what: 'a refused return' })
  await listener.end()
})

test('every stream says again and again that it lives, and not all at one moment', async () => {
  using streams = new EventStreams(600)
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, fetch: () => streams.answer('login', () => () => {}) })
  const abort = new AbortController()
  const beats: number[][] = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const reader = (await fetch(server.url, { signal: abort.signal })).body?.getReader()
      const times: number[] = []
      for (let part = await reader?.read(); part && !part.done && times.length < 2; part = await reader?.read()) {
        if (Buffer.from(part.value).toString().includes(': hb')) times.push(Math.round(performance.now()))
      }
      return times
    }),
  )
  expect(beats.every((times) => times.length === 2)).toBe(true)
  expect(new Set(beats.map(([first]) => first)).size).toBeGreaterThan(10)
  abort.abort()
  await server.stop(true)
})
