import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import type { ClusterClasses } from '../../src/runtime/runtime.ts'
import { Settings } from '../../src/settings/settings.ts'
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
    ['docker_image', 'two words'],
    ['docker_image', 'example.com/Agent:1'],
    ['docker_image', 1],
    ['docker_image', null],
    ['allowed_images', 'example.com/a:1'],
    ['allowed_images', ['example.com/a:1', 'A B']],
    ['allowed_images', [1]],
    ['agent_storage_size', '10GG'],
    ['agent_storage_size', '-1'],
    ['agent_storage_size', '1e9Ti'],
    ['agent_storage_size', '0'],
    ['agent_storage_size', 0],
    ['agent_storage_size', ''],
    ['agent_storage_size', ' 10Gi'],
    ['agent_storage_size', '10 Gi'],
    ['agent_storage_size', '10gi'],
    ['agent_storage_size', '1Ei'],
    ['agent_storage_size', 'NaN'],
    ['default_memory_request', '512m'],
    ['default_memory_request', true],
    ['default_cpu_request', '0'],
    ['default_cpu_request', '0.1m'],
    ['ephemeral_storage_limit', '1Mi'],
    ['agent_storage_class', 'Fast'],
    ['agent_storage_class', 'fast_ssd'],
    ['agent_storage_class', '-fast'],
    ['agent_storage_class', 'a..b'],
    ['agent_storage_class', '../x'],
    ['agent_storage_class', 'x'.repeat(64)],
    ['agent_runtime_class', 'gVisor'],
    ['agent_runtime_class', 5],
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

describe('agents in a cluster', () => {
  const CLASSES = { storageClasses: ['fast', 'standard'], runtimeClasses: ['gvisor'] }
  const settingsWith = (classes: () => Promise<ClusterClasses>) =>
    new Settings(app.portal.context.database.db, { environment: { docker_image: 'env.example.com/agent:1', agent_storage_size: '5Gi', agent_storage_class: undefined }, classes })

  test('a class must be one that the cluster has; the refusal lists those that it has', async () => {
    const settings = settingsWith(async () => CLASSES)
    const refusal = await settings.set('agent_storage_class', 'slow', undefined).catch((error: AppError) => error.fields)
    expect(refusal as unknown).toEqual({ agent_storage_class: 'The cluster has no storage class of this name. There are: fast, standard.' })
    expect(await settings.set('agent_storage_class', 'fast', undefined)).toBeUndefined()
    expect(await settings.set('agent_runtime_class', 'kata', undefined).catch((error: AppError) => error.fields as unknown)).toEqual({
      agent_runtime_class: 'The cluster has no runtime class of this name. There is: gvisor.',
    } as never)
    expect((await settings.limits(1)).choices).toMatchObject({ storageClass: 'fast', runtimeClass: '' })
    await settings.change({ agent_storage_class: undefined }, undefined)
  })

  test('where the portal may not look, a class is taken with a note; where the cluster does not answer, it is refused', async () => {
    expect(await settingsWith(async () => ({})).set('agent_storage_class', 'somewhere', undefined)).toContain('may not list')
    const away = settingsWith(async () => {
      throw new AppError('unavailable', 'cluster_unreachable', 'The cluster does not answer.')
    })
    expect(away.set('agent_storage_class', 'fast', undefined)).rejects.toMatchObject({ code: 'cluster_unreachable' })
    await away.change({ agent_storage_class: undefined }, undefined)
  })

  test('the environment stands below the system’s value and above the built-in one, and a reset goes back to it', async () => {
    const settings = settingsWith(async () => CLASSES)
    const effective = async () => {
      const { image, choices } = await settings.limits(1)
      return [image, choices.storageSize, choices.storageClass]
    }
    expect(await effective()).toEqual(['env.example.com/agent:1', '5Gi', ''])
    await settings.change({ docker_image: 'example.com/agent:2', agent_storage_size: '20Gi' }, undefined)
    expect(await effective()).toEqual(['example.com/agent:2', '20Gi', ''])
    const told = (await settings.all()).find(({ key }) => key === 'agent_storage_size')
    expect(told).toEqual({ key: 'agent_storage_size', value: '20Gi', changed: true, inherited: '5Gi', inheritedFrom: 'environment', overrides: 0 })
    await settings.setForUser(1, 'agent_storage_size', '40Gi')
    expect(await effective()).toEqual(['example.com/agent:2', '40Gi', ''])
    expect((await settings.all()).find(({ key }) => key === 'agent_storage_size')?.overrides).toBe(1)
    await settings.change({ docker_image: undefined, agent_storage_size: undefined }, undefined)
    expect(await effective()).toEqual(['env.example.com/agent:1', '40Gi', ''])
  })

  test('one bad value of several leaves all as they were', async () => {
    const settings = settingsWith(async () => CLASSES)
    const change = settings.change({ pids_limit: 100, agent_storage_size: '10GG' }, undefined)
    expect(change).rejects.toMatchObject({ fields: { agent_storage_size: 'Give an amount like 10Gi, not “10GG”.' } })
    await change.catch(() => {})
    expect((await settings.limits(1)).pidsLimit).toBe(512)
  })

  test('an image without a fixed tag or without a registry is taken, with a note', async () => {
    expect((await put('docker_image', { value: 'registry.example.com/sac/agent:latest' })).body).toMatchObject({
      message: 'Saved.',
      note: expect.stringContaining('fixed tag') as never,
    } as never)
    expect((await put('docker_image', { value: 'sac/agent:1' })).body).toMatchObject({ note: expect.stringContaining('no registry') as never } as never)
    expect((await put('docker_image', { value: 'registry.example.com/sac/agent:1' })).body).toEqual({ message: 'Saved.' } as never)
    expect((await admin.ask('DELETE', '/api/admin/settings/docker_image')).status).toBe(204)
    expect((await admin.ask('DELETE', '/api/admin/settings/nothing_such')).status).toBe(422)
  })
})
