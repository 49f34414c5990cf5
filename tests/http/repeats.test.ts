import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

type Made = { id: number; error?: { code: string } }

let app: TestApp
let alice: Person
beforeAll(async () => {
  app = await startTestApp()
  await app.portal.context.settings.set('max_agents_per_user', 20, undefined)
  alice = await app.as('alice')
})
afterAll(() => app[Symbol.asyncDispose]())

const make = (key: string, name: string, who = alice) => who.ask<Made>('POST', '/api/agents', { name }, { 'idempotency-key': key })
const count = async () => (await alice.ask<{ agents: unknown[] }>('GET', '/api/agents')).body.agents.length

test('a request that is sent again gets the first answer, and makes nothing', async () => {
  const first = await make('once', 'One')
  const again = await make('once', 'One')
  expect({ status: again.status, body: again.body, etag: again.headers.get('etag') }).toEqual({ status: 201, body: first.body, etag: first.headers.get('etag') })
  await app.restart()
  expect((await make('once', 'One')).body).toEqual(first.body)
  expect(await count()).toBe(1)
})

test('a key stands for one request only, and for one person only', async () => {
  expect((await make('once', 'Other')).body.error?.code).toBe('key_reused')
  const session = await alice.ask<Made>('POST', '/api/sessions', { agent_id: 1 }, { 'idempotency-key': 'once' })
  expect({ status: session.status, code: session.body.error?.code }).toEqual({
    status: session.status === 404 ? 404 : 422,
    code: session.status === 404 ? 'not_found' : 'key_reused',
  })
  const bob = await app.as('bob')
  expect((await make('once', 'One', bob)).status).toBe(201)
  expect(await count()).toBe(1)
})

test('of twenty at once one is made; the others get it, or are told that it runs', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => make('storm', 'Two')))
  const made = answers.filter(({ status }) => status === 201)
  expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
  for (const { status, body, headers } of answers) {
    if (status === 201) continue
    expect({ status, code: body.error?.code, wait: headers.get('retry-after') }).toEqual({ status: 409, code: 'in_progress', wait: '1' })
  }
  expect(await count()).toBe(2)
})

test('a refused request leaves its key free', async () => {
  expect((await make('refused', '')).status).toBe(422)
  expect((await make('refused', 'Three')).status).toBe(201)
})

test.each(['', 'x'.repeat(201), 'a b', 'é'])('the key %j is refused', async (key) => {
  expect((await make(key, 'Four')).status).toBe(422)
})

test('a session is opened once, and the repeat says so as the first time', async () => {
  const { id } = (await alice.ask<Made>('POST', '/api/agents', { name: 'Runs' })).body
  const open = () => alice.ask<{ session_id: string; is_new: boolean }>('POST', '/api/sessions', { agent_id: id }, { 'idempotency-key': 'open' })
  const first = await open()
  expect({ status: first.status, isNew: first.body.is_new }).toEqual({ status: 201, isNew: true })
  expect((await open()).body).toEqual(first.body)
  const plain = await alice.ask<{ session_id: string; is_new: boolean }>('POST', '/api/sessions', { agent_id: id })
  expect({ status: plain.status, isNew: plain.body.is_new, id: plain.body.session_id }).toEqual({ status: 200, isNew: false, id: first.body.session_id })
})

test('fifty who open one agent’s session at once get one session', async () => {
  const { id } = (await alice.ask<Made>('POST', '/api/agents', { name: 'Crowded' })).body
  const answers = await Promise.all(Array.from({ length: 50 }, () => alice.ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: id })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(49)
  expect(new Set(answers.map(({ body }) => body.session_id)).size).toBe(1)
}, 30_000)

test('a form that is sent by a double click makes one agent, and a changed one another', async () => {
  const carla = await app.as('carla')
  const page = String((await carla.ask('GET', '/agents/new', undefined, { accept: 'text/html' })).body)
  const key = /name="request_key" value="([\w-]+)"/.exec(page)?.[1] ?? ''
  const send = (name: string) =>
    fetch(`${app.portal.url}/agents`, {
      method: 'POST',
      redirect: 'manual',
      headers: { authorization: `Bearer ${carla.token}` },
      body: new URLSearchParams({ request_key: key, name }),
    }).then((answer) => ({ status: answer.status, location: answer.headers.get('location') }))
  const clicks = await Promise.all([send('Clicked'), send('Clicked'), send('Clicked')])
  for (const click of clicks) expect(click).toEqual({ status: 303, location: clicks[0]?.location ?? '' })
  expect(await send('Clicked')).toEqual(clicks[0] as (typeof clicks)[0])
  const other = await send('Another')
  expect({ status: other.status, same: other.location === clicks[0]?.location }).toEqual({ status: 303, same: false })
  expect((await carla.ask<{ agents: unknown[] }>('GET', '/api/agents')).body.agents).toHaveLength(2)
}, 30_000)
