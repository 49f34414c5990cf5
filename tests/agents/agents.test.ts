import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let alice: Person
let bob: Person
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  bob = await app.as('bob')
})
afterAll(() => app[Symbol.asyncDispose]())

test('twenty agents at once stop at the limit of three', async () => {
  const carla = await app.as('carla')
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => carla.ask('POST', '/api/agents', { name: `A${at}` })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(17)
  expect((await carla.ask<{ agents: unknown[] }>('GET', '/api/agents')).body.agents).toHaveLength(3)
})

test('secrets go in and never come out', async () => {
  const config = {
    anthropic_auth_token: 'sk-canary-token-abcd',
    custom_envs: [
      { key: 'PLAIN', value: 'x' },
      { key: 'HIDDEN', value: 'canary-secret-value', secret: true },
    ],
  }
  const made = await alice.ask<{ id: number; config: { anthropic_auth_token_last4: string } }>('POST', '/api/agents', { name: 'Secrets', config })
  expect(made.status).toBe(201)
  expect(made.body.config.anthropic_auth_token_last4).toBe('abcd')
  for (const path of ['/api/agents', `/api/agents/${made.body.id}`, `/agents/${made.body.id}/edit`])
    expect(JSON.stringify((await alice.ask('GET', path)).body)).not.toMatch(/sk-canary|canary-secret/)
  expect(JSON.stringify(await app.portal.context.agents.present(made.body.id))).not.toMatch(/sk-canary|canary-secret/)
  await alice.ask('DELETE', `/api/agents/${made.body.id}`)
})

test('a rename needs no restart, another model does, and a stale edit is refused', async () => {
  const id = await alice.createAgent('Before')
  const { agents } = app.portal.context
  const row = async () => agents.present(id)
  const before = await row()
  const renamed = await alice.ask('PUT', `/api/agents/${id}`, { name: 'After', instructions: 'Be kind.' })
  expect(renamed.status).toBe(200)
  expect((await row())?.restartVersion).toBe(before?.restartVersion ?? 0)
  await alice.ask('PUT', `/api/agents/${id}`, { config: { anthropic_base_url: 'http://127.0.0.1:9999' } })
  expect((await row())?.restartVersion).toBeGreaterThan(before?.restartVersion ?? 0)
  expect((await alice.ask('PUT', `/api/agents/${id}`, { name: 'Lost' }, { 'if-match': '"1"' })).status).toBe(412)
  expect((await row())?.name).toBe('After')
  await alice.ask('DELETE', `/api/agents/${id}`)
})

test.each([
  [{ name: '' }, 'validation_failed'],
  [{ name: '   ' }, 'validation_failed'],
  [{ name: 'x'.repeat(101) }, 'validation_failed'],
  [{ role: 'admin' }, 'unknown_field'],
  [{ created_by: 1 }, 'unknown_field'],
  [{ config: { anthropic_base_url: 'file:///etc/passwd' } }, 'url_not_allowed'],
  [{ config: { anthropic_base_url: 'http://169.254.169.254/' } }, 'url_not_allowed'],
  [{ config: { custom_envs: [{ key: 'LD_PRELOAD', value: 'x' }] } }, 'env_reserved'],
  [{ config: { custom_envs: [{ key: 'A=B', value: 'x' }] } }, 'env_invalid'],
  [{ config: { custom_envs: [{ key: 'A', value: 'x'.repeat(33 * 1024) }] } }, 'env_invalid'],
  [{ cpu_limit: -1 }, 'resource_out_of_range'],
  [{ cpu_limit: 1e9 }, 'resource_out_of_range'],
  [{ memory_limit_mb: 1 }, 'resource_out_of_range'],
  [{ cpu_limit: '1;' }, 'validation_failed'],
])('an agent with %j is refused as %s', async (change, code) => {
  const answer = await alice.ask<{ error: { code: string } }>('POST', '/api/agents', { name: 'Fine', ...change })
  expect(answer.status).toBe(422)
  expect(answer.body.error.code).toBe(code)
})

test('hostile names are shown as they are', async () => {
  const name = '"><img src=x onerror=alert(1)><b hx-get=/x>'
  const id = await alice.createAgent(name)
  const page = String((await alice.ask('GET', `/agents/${id}`, undefined, { accept: 'text/html' })).body)
    // Inside quotes only a quote could break out.
    .replace(/"[^"]*"/g, '""')
  expect(page).not.toContain('<img src=x')
  expect(page).not.toContain('<b hx-get')
  expect(page).toContain('&lt;img src=x')
  await alice.ask('DELETE', `/api/agents/${id}`)
})

test('a stranger finds nothing of alice, by any route', async () => {
  const id = await alice.createAgent('Private')
  const session = (await alice.ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: id })).body.session_id
  const routes: [string, string, unknown?][] = [
    ['GET', `/api/agents/${id}`],
    ['PUT', `/api/agents/${id}`, { name: 'x' }],
    ['DELETE', `/api/agents/${id}`],
    ['POST', `/api/agents/${id}/restart`],
    ['POST', `/api/agents/${id}/stop`],
    ['POST', '/api/sessions', { agent_id: id }],
    ['GET', `/api/sessions/${session}`],
    ['DELETE', `/api/sessions/${session}`],
    ['GET', `/api/sessions/${session}/events`],
    ['POST', `/api/sessions/${session}/ticket`],
    ['GET', `/ws/${session}`],
    ['GET', `/events?agent=${id}`],
    ['GET', `/api/workspace/output/files?agent_id=${id}`],
    ['DELETE', `/api/workspace/output/files?agent_id=${id}&path=a`],
    ['GET', `/api/workspace/output/files/download?agent_id=${id}&path=a`],
    ['GET', `/api/workspace/output/watch?agent_id=${id}`],
    ['GET', `/agents/${id}`],
    ['GET', `/agents/${id}/edit`],
    ['POST', `/agents/${id}`, { name: 'x' }],
    ['POST', `/agents/${id}/start`],
    ['POST', `/agents/${id}/stop`],
    ['POST', `/agents/${id}/restart`],
    ['POST', `/agents/${id}/delete`],
    ['GET', `/agents/${id}/output`],
    ['GET', `/agents/${id}/output/preview?path=a`],
    ['POST', `/agents/${id}/output/delete`, { path: 'a' }],
  ]
  for (const [method, path, body] of routes) {
    const answer = await bob.ask(method, path, body, { accept: 'application/json' })
    expect({ method, path, status: answer.status }).toEqual({ method, path, status: 404 })
    const nobody = await fetch(app.portal.url + path, { method, redirect: 'manual', headers: { accept: 'application/json' } })
    expect({ method, path, nobody: nobody.status }).toEqual({ method, path, nobody: 401 })
  }
  expect((await alice.ask('GET', `/api/agents/${id}`)).status).toBe(200)
  for (const path of ['/api/admin/settings', '/api/admin/settings/registration_mode'])
    expect((await bob.ask(path.endsWith('s') ? 'GET' : 'PUT', path, path.endsWith('s') ? undefined : { value: 'open' })).status).toBe(403)
  expect((await bob.ask('POST', '/api/admin/invitations', {})).status).toBe(403)
  await alice.ask('DELETE', `/api/agents/${id}`)
})

test('every route is known to these tests', () => {
  const known = new Set(
    app.portal.routes.filter((route) => !/^(GET|POST|PUT|DELETE) \/(health|ready|static|favicon|login|register|account|logout|agents|events|ws|api)/.test(route)),
  )
  expect([...known]).toEqual(['GET /'])
})
