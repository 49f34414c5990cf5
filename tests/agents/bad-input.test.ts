import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

type Refusal = { error: { code: string; message: string; fields?: Record<string, string> }; current?: { name: string } }

let app: TestApp
let alice: Person
let agent: number
beforeAll(async () => {
  app = await startTestApp()
  await app.portal.context.settings.set('max_agents_per_user', 20, undefined)
  alice = await app.as('alice')
  agent = await alice.createAgent('Fine')
})
afterAll(() => app[Symbol.asyncDispose]())

const envs = (...custom_envs: object[]) => ({ config: { custom_envs } })

describe('what is refused changes nothing', () => {
  test.each([
    [{ name: '' }, 'validation_failed', 'name'],
    [{ name: ' \t ' }, 'validation_failed', 'name'],
    [{ name: '😀'.repeat(101) }, 'validation_failed', 'name'],
    [{ name: 'a\u0000b' }, 'validation_failed', 'name'],
    [{ name: 'a\nb' }, 'validation_failed', 'name'],
    [{ name: '\ud800' }, 'validation_failed', 'name'],
    [{ name: 7 }, 'validation_failed', 'name'],
    [{ name: null }, 'validation_failed', 'name'],
    [{ description: 'a\u0000b' }, 'validation_failed', 'description'],
    [{ description: 'x'.repeat(501) }, 'validation_failed', 'description'],
    [{ instructions: '\u0000' }, 'validation_failed', 'instructions'],
    [{ instructions: 'x'.repeat(50_001) }, 'validation_failed', 'instructions'],
    [{ icon: 'javascript:alert(1)' }, 'validation_failed', 'icon'],
    [{ role: 'admin' }, 'unknown_field', 'role'],
    [{ created_by: 1 }, 'unknown_field', 'created_by'],
    [{ id: 1 }, 'unknown_field', 'id'],
    [{ version: 9 }, 'unknown_field', 'version'],
    [{ config: { secrets: {} } }, 'unknown_field', 'config.secrets'],
    ...[-1, 0, 1.5e308, 1e9, 2 ** 53 + 2].map((cpu_limit) => [{ cpu_limit }, 'resource_out_of_range', 'cpu_limit'] as const),
    ...['1 OR 1=1', [], true, {}].map((cpu_limit) => [{ cpu_limit }, 'validation_failed', 'cpu_limit'] as const),
    ...[-1, 0, 1, 1024.5, 1e12].map((memory_limit_mb) => [{ memory_limit_mb }, 'resource_out_of_range', 'memory_limit_mb'] as const),
    [{ config: { anthropic_base_url: 'http://169.254.169.254/' } }, 'url_not_allowed', 'anthropic_base_url'],
    [{ config: { anthropic_base_url: 'https://user:pass@example.com' } }, 'url_not_allowed', 'anthropic_base_url'],
    [{ config: { anthropic_base_url: 'https://example.com:22' } }, 'url_not_allowed', 'anthropic_base_url'],
    [{ config: { http_proxy: 'http://proxy.example.com/\r\nX-Evil: 1' } }, 'url_not_allowed', 'http_proxy'],
    [{ config: { anthropic_opus_model: 'a\r\nb' } }, 'validation_failed', 'anthropic_opus_model'],
    [{ config: { anthropic_opus_model: `${'a'.repeat(50_000)}!` } }, 'validation_failed', 'anthropic_opus_model'],
    [{ config: { anthropic_auth_token: 'key\r\nX-Evil: 1' } }, 'validation_failed', 'anthropic_auth_token'],
    [{ config: { provider: 'evil' } }, 'validation_failed', 'provider'],
    [envs({ key: '', value: 'x' }), 'env_invalid', 'custom_envs'],
    [envs({ key: 'A=B', value: 'x' }), 'env_invalid', 'custom_envs'],
    [envs({ key: `A${'b'.repeat(50_000)}!`, value: 'x' }), 'env_invalid', 'custom_envs'],
    ...['LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'HOME', 'SAC_TOKEN', 'ANTHROPIC_API_KEY', 'BUN_BE_BUN', 'CLAUDE_CODE_X', 'ld_preload'].map(
      (key) => [envs({ key, value: 'x' }), 'env_reserved', 'custom_envs'] as const,
    ),
    [envs({ key: 'A', value: 'a\u0000b' }), 'env_invalid', 'custom_envs'],
    [envs({ key: 'A', value: 'x'.repeat(33 * 1024) }), 'env_invalid', 'custom_envs'],
    [envs({ key: 'A', value: '1' }, { key: 'A', value: '2' }), 'env_invalid', 'custom_envs'],
    [envs(...Array.from({ length: 101 }, (_, at) => ({ key: `A${at}`, value: 'x' }))), 'env_invalid', 'custom_envs'],
  ])('%j', async (change, code, field) => {
    const before = (await alice.ask('GET', `/api/agents/${agent}`)).body
    for (const [method, path, body] of [
      ['POST', '/api/agents', { name: 'New', ...change }],
      ['PUT', `/api/agents/${agent}`, change],
    ] as const) {
      const answer = await alice.ask<Refusal>(method, path, body)
      expect({ status: answer.status, code: answer.body.error.code, field: Object.keys(answer.body.error.fields ?? {}) }).toEqual({
        status: 422,
        code,
        field: expect.arrayContaining([field]) as unknown as string[],
      })
    }
    expect((await alice.ask('GET', `/api/agents/${agent}`)).body).toEqual(before)
    expect((await alice.ask<{ agents: unknown[] }>('GET', '/api/agents')).body.agents).toHaveLength(1)
  })

  test('an entry that cannot be used is named', async () => {
    const { body } = await alice.ask<Refusal>('POST', '/api/agents', { name: 'New', ...envs({ key: 'FINE', value: '1' }, { key: 'LD_PRELOAD', value: 'x' }) })
    expect(body.error.fields?.custom_envs).toContain('LD_PRELOAD')
  })
})

test.each(['<script>alert(1)</script>', '👩‍👩‍👧‍👦', 'שלום عالم', '"><img src=x>', "Robert'); DROP TABLE agents;--", '$(touch /tmp/p)'])(
  'the name %s is kept as it is',
  async (name) => {
    const id = await alice.createAgent(name)
    expect((await alice.ask('GET', `/api/agents/${id}`)).body.name).toBe(name)
    expect((await alice.ask('DELETE', `/api/agents/${id}`)).status).toBe(204)
  },
)

test('an agent is deleted once, and cannot be started after that', async () => {
  const id = await alice.createAgent('Short')
  const answers = await Promise.all([1, 2, 3].map(() => alice.ask('DELETE', `/api/agents/${id}`)))
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404])
  expect((await alice.ask('POST', '/api/sessions', { agent_id: id })).status).toBe(404)
  expect((await alice.ask('POST', `/api/agents/${id}/restart`)).status).toBe(404)
})

describe('versions', () => {
  test('a change that comes too late gets the present state beside its refusal', async () => {
    const id = await alice.createAgent('First')
    const saved = await alice.ask('PUT', `/api/agents/${id}`, { name: 'Second' }, { 'if-match': '"1"' })
    expect({ status: saved.status, etag: saved.headers.get('etag') }).toEqual({ status: 200, etag: '"2"' })
    for (const version of ['"1"', '"3"', 'W/"2"', '2', 'x']) {
      const late = await alice.ask<Refusal>('PUT', `/api/agents/${id}`, { name: 'Third' }, { 'if-match': version })
      expect({ status: late.status, code: late.body.error.code, current: late.body.current?.name }).toEqual({ status: 412, code: 'version_conflict', current: 'Second' })
    }
    expect((await alice.ask('PUT', `/api/agents/${id}`, { name: 'Third' }, { 'if-match': '*' })).status).toBe(200)
  })

  test('of fifty changes of one version one is made', async () => {
    const id = await alice.createAgent('Wanted')
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => alice.ask('PUT', `/api/agents/${id}`, { name: `N${at}` }, { 'if-match': '"1"' })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(49)
  }, 30_000)
})
