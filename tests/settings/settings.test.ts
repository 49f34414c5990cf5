import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

type Refusal = { error: { code: string; fields?: Record<string, string> } }

let app: TestApp
let admin: Person
let alice: Person
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  admin = await app.admin()
})
afterAll(() => app[Symbol.asyncDispose]())

const put = (key: string, body: unknown, who = admin) => who.ask<Refusal>('PUT', `/api/admin/settings/${key}`, body)
const all = async () => (await admin.ask('GET', '/api/admin/settings')).body

describe('what is refused changes nothing', () => {
  test.each([
    ['nothing_such', 1],
    ['constructor', 1],
    ['toString', 1],
    ['registration_mode', 'everybody'],
    ['registration_mode', ['open']],
    ['registration_mode', null],
    ['max_agents_per_user', -1],
    ['max_agents_per_user', 1.5],
    ['max_agents_per_user', '3'],
    ['max_agents_per_user', []],
    ['max_agents_per_user', 2 ** 53 + 2],
    ['default_cpu_limit', 0],
    ['default_cpu_limit', true],
    ['output_max_bytes', 1e300],
    ['agent_system_instructions', 'a\u0000b'],
    ['agent_system_instructions', 'x'.repeat(20_001)],
    ['agent_system_instructions', {}],
  ])('%s as %j', async (key, value) => {
    const before = await all()
    const answer = await put(key, { value })
    expect({ status: answer.status, fields: Object.keys(answer.body.error.fields ?? {}) }).toEqual({ status: 422, fields: [key] })
    expect(await all()).toEqual(before)
  })

  test('without a value, and with more than one', async () => {
    const before = await all()
    expect((await put('max_agents_per_user', {})).status).toBe(422)
    expect((await put('max_agents_per_user', { value: 1, key: 'registration_mode' })).body.error.code).toBe('unknown_field')
    expect(await all()).toEqual(before)
  })

  test('by somebody who is no admin', async () => {
    expect((await put('max_agents_per_user', { value: 100 }, alice)).status).toBe(403)
  })
})

test('a user’s value goes before the system’s, and the agent’s before both', async () => {
  const { settings } = app.portal.context
  const id = (await alice.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
  expect((await settings.limits(id)).maxAgents).toBe(3)
  expect((await put('max_agents_per_user', { value: 1 })).status).toBe(200)
  expect((await settings.limits(id)).maxAgents).toBe(1)
  await settings.setForUser(id, 'max_agents_per_user', 2)
  expect((await settings.limits(id)).maxAgents).toBe(2)
  await alice.createAgent()
  await alice.createAgent()
  expect((await alice.ask<Refusal>('POST', '/api/agents', { name: 'Third' })).body.error.code).toBe('quota_exceeded')
})

test('a registration mode that nobody can read means closed, and a lost database is no open door', async () => {
  const { database } = app.portal.context
  await database.db.execute(`insert into system_settings (key, value) values ('registration_mode', '"everybody"') on conflict (key) do update set value = excluded.value`)
  const register = () =>
    fetch(`${app.portal.url}/api/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"username":"eve","email":"eve@example.com","password":"a phrase for testing"}',
    })
  expect((await register()).status).toBe(403)
  await database.db.execute('alter table system_settings rename to gone')
  const broken = await register()
  expect(broken.status).toBeGreaterThanOrEqual(500)
  await database.db.execute('alter table gone rename to system_settings')
  expect((await alice.ask('GET', '/api/auth/me')).status).toBe(200)
})
