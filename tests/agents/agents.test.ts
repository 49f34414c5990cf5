import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { sandboxTokens } from '../../src/agents/schema.ts'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let alice: Person
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
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

test('a rename needs no restart, new instructions or another model do, and a stale edit is refused', async () => {
  const id = await alice.createAgent('Before')
  const { agents } = app.portal.context
  const row = async () => agents.present(id)
  const before = await row()
  const renamed = await alice.ask('PUT', `/api/agents/${id}`, { name: 'After', description: 'Another one' })
  expect(renamed.status).toBe(200)
  expect((await row())?.restartVersion).toBe(before?.restartVersion ?? 0)
  await alice.ask('PUT', `/api/agents/${id}`, { instructions: 'Be kind.' })
  expect((await row())?.restartVersion).toBe((await row())?.version ?? 0)
  await alice.ask('PUT', `/api/agents/${id}`, { config: { anthropic_base_url: 'http://127.0.0.1:9999' } })
  expect((await row())?.restartVersion).toBe((await row())?.version ?? 0)
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

test('an agent that is deleted while it starts leaves no sandbox, no token and no row', async () => {
  const { agents, runtime } = app.portal.context
  for (let round = 0; round < 3; round++) {
    const id = await alice.createAgent('Short-lived')
    expect((await alice.ask('POST', '/api/sessions', { agent_id: id })).status).toBe(201)
    expect((await alice.ask('DELETE', `/api/agents/${id}`)).status).toBe(204)
    expect((await alice.ask('POST', '/api/sessions', { agent_id: id })).status).toBe(404)
    await until(async () => !(await agents.condemned()).some((agent) => agent.id === id), { timeoutMs: 30_000, what: 'the end of the row' })
    expect((await runtime.list()).filter((state) => state.agentId === id && state.phase !== 'absent')).toEqual([])
    expect((await app.portal.context.database.db.select().from(sandboxTokens).where(eq(sandboxTokens.agentId, id))).length).toBe(0)
  }
}, 100_000)
