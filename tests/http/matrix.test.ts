import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Agent } from '../../src/agents/agents.ts'
import { until } from '../../src/lib/until.ts'
import { INTERNAL_POLICIES, PUBLIC_POLICIES } from '../../src/route-policies.ts'
import type { UserRow } from '../../src/users/schema.ts'
import { PASSWORD, type Person, startTestApp, type TestApp } from '../support/app.ts'
import { type Ids, SAMPLES, type Sample } from './samples.ts'

let app: TestApp
let owner: Person
let stranger: Person
let admin: Person
let ownerId: number
let account: UserRow
let sandboxToken: string
beforeAll(async () => {
  app = await startTestApp()
  await app.portal.context.settings.set('max_agents_per_user', 1000, undefined)
  owner = await app.as('owner')
  stranger = await app.as('stranger')
  admin = await app.admin()
  ownerId = (await owner.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
  account = await app.portal.context.users.checkPassword('owner', PASSWORD, 'test')
  sandboxToken = (await sandbox()).token
})
afterAll(() => app[Symbol.asyncDispose]())

/** An agent with a session, a file and a second login, all of the owner's. */
async function belongings(): Promise<Ids> {
  const { agents, sessions, outputs, logins } = app.portal.context
  const agent = await agents.owned({ id: ownerId }, await owner.createAgent())
  const { session } = await sessions.open(agent)
  const bytes = Buffer.from('hello')
  const sha256 = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
  const body = (async function* () {
    yield bytes
  })()
  await outputs.store(agent, { path: 'a.txt', size: bytes.byteLength, sha256, body })
  const { loginId } = await logins.open(account, { userAgent: 'other', address: '127.0.0.1' })
  return { agent: String(agent.id), session: session.id, login: loginId }
}

/** Token of a sandbox that nobody restarts meanwhile. */
async function sandbox(): Promise<{ agent: Agent; token: string }> {
  const { agents } = app.portal.context
  const { agent, sandboxToken } = await agents.nextGeneration(await agents.owned({ id: ownerId }, await owner.createAgent()))
  return { agent, token: sandboxToken }
}

const RANDOM: Ids = { agent: '987654321', session: '00000000-0000-4000-8000-000000000000', login: 'f'.repeat(64) }
const entries = Object.entries(PUBLIC_POLICIES)

test('every route has a sample request', () => {
  expect(Object.keys(PUBLIC_POLICIES).filter((name) => !SAMPLES[name])).toEqual([])
})

interface Visitor {
  bearer?: string
  accept?: string
  headers?: Record<string, string>
}

async function visit(name: string, ids: Ids, { bearer, accept = 'application/json', headers = {} }: Visitor) {
  const sample = sampleOf(name)
  const [method = ''] = name.split(' ')
  const path = sample.path(ids)
  const body = sample.body?.(ids)
  const aborter = new AbortController()
  const answer = await fetch(app.portal.url + path, {
    method,
    redirect: 'manual',
    signal: aborter.signal,
    headers: { accept, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...(body === undefined ? {} : { 'content-type': typeOf(path) }), ...headers },
    body: body === undefined ? undefined : path.startsWith('/api/') ? JSON.stringify(body) : new URLSearchParams(body as Record<string, string>).toString(),
  })
  // A stream has no end; its status is the answer.
  const text = answer.headers.get('content-type')?.startsWith('text/event-stream') ? '' : await answer.text()
  aborter.abort()
  return { status: answer.status, location: answer.headers.get('location'), hxRedirect: answer.headers.get('hx-redirect'), text: neutral(text, answer.headers.get('x-request-id')) }
}

function sampleOf(name: string): Sample {
  const sample = SAMPLES[name]
  if (!sample) throw new Error(`${name} has no sample`)
  return sample
}

function typeOf(path: string): string {
  return path.startsWith('/api/') ? 'application/json' : 'application/x-www-form-urlencoded'
}

/** A body without what differs between any two answers. */
function neutral(text: string, requestId: string | null): string {
  return text.replaceAll(requestId ?? '-', 'REQUEST').replace(/nonce="?[\w-]+"?/g, 'NONCE')
}

/** Rows of the owner, as they are now; what a refused request may not change. */
async function rows(ids: Ids): Promise<unknown> {
  const { agents, sessions, outputs, logins } = app.portal.context
  const agent = await agents.present(Number(ids.agent))
  if (!agent) return undefined
  const {
    steps: _steps,
    status,
    updatedAt: _updated,
    readyAt: _ready,
    lastActive: _active,
    activity: _activity,
    ...session
  } = (await sessions.ofAgent(agent.id)) ?? { status: 'none' }
  const own = await logins.list({ id: agent.createdBy })
  return {
    agent: { ...agent, generation: 0, startedVersion: 0, startedImage: null },
    session,
    ended: ['stopped', 'deleted', 'none'].includes(status),
    file: await outputs.find(agent, 'a.txt'),
    login: own.some(({ id }) => id === ids.login),
  }
}

describe('who gets what', () => {
  test.each(entries.filter(([, policy]) => policy === 'public'))('%s is for everybody', async (name) => {
    expect((await visit(name, RANDOM, {})).status).toBe(sampleOf(name).fine)
  })

  test.each(entries.filter(([, policy]) => policy !== 'public'))('%s (%s) is for nobody without a login', async (name) => {
    const api = name.includes(' /api/') || name.includes(' /ws/')
    expect((await visit(name, RANDOM, {})).status).toBe(401)
    expect((await visit(name, RANDOM, { bearer: sandboxToken })).status).toBe(401)
    const page = await visit(name, RANDOM, { accept: 'text/html' })
    if (api) expect(page.status).toBe(401)
    else expect({ status: page.status, location: page.location?.replace(/\?.*/, '') }).toEqual({ status: 303, location: '/login' })
    const part = await visit(name, RANDOM, { accept: 'text/html', headers: { 'hx-request': 'true' } })
    expect({ status: part.status, hxRedirect: part.hxRedirect }).toEqual({ status: 401, hxRedirect: api ? null : '/login' })
  })

  test.each(entries.filter(([, policy]) => policy === 'admin'))('%s is for admins', async (name) => {
    expect((await visit(name, RANDOM, { bearer: owner.token })).status).toBe(403)
    expect((await visit(name, RANDOM, { bearer: admin.token })).status).toBe(sampleOf(name).fine)
  })

  test.each(entries.filter(([, policy]) => policy === 'owner'))('%s is for its owner, and to others like one that is not there', async (name) => {
    const ids = await belongings()
    const before = await rows(ids)
    for (const person of [stranger, admin]) {
      for (const accept of ['application/json', 'text/html']) {
        const foreign = await visit(name, ids, { bearer: person.token, accept })
        expect(foreign.status).toBe(404)
        expect(foreign).toEqual(await visit(name, RANDOM, { bearer: person.token, accept }))
      }
    }
    expect(await rows(ids)).toEqual(before)
    expect((await visit(name, ids, { bearer: owner.token })).status).toBe(sampleOf(name).fine)
    const left = await app.portal.context.agents.present(Number(ids.agent))
    if (left) await app.portal.context.agents.delete(left)
  })

  test.each(entries.filter(([, policy]) => policy === 'signed in'))('%s is for everybody with a login', async (name) => {
    const person = await app.as(`visitor${entries.findIndex(([other]) => other === name)}`)
    if (name === 'GET /') await person.createAgent()
    expect((await visit(name, RANDOM, { bearer: person.token })).status).toBe(sampleOf(name).fine)
  })
})

describe('the internal listener', () => {
  test.each(Object.entries(INTERNAL_POLICIES))('%s is for %s', async (name, policy) => {
    const { agent, token } = await sandbox()
    const [method = '', path = ''] = name.split(' ')
    const ask = (bearer?: string) =>
      fetch(`${app.portal.internalUrl}${path}`, {
        method,
        headers: { ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) },
        body: method === 'POST' ? '{}' : undefined,
      }).then(({ status }) => status)
    const refused = policy === 'public' ? 200 : 401
    for (const bearer of [undefined, owner.token, admin.token, 'x'.repeat(43)]) expect(await ask(bearer)).toBe(refused)
    // The sandbox is let in, and told what its empty request lacks.
    expect(await ask(token)).toBe(policy === 'public' ? 200 : 422)
    await app.portal.context.agents.delete(agent)
    // The answer to a token is remembered for two seconds.
    if (policy === 'sandbox') await until(async () => (await ask(token)) === 401, { what: 'the end of the token' })
  })

  test.each(Object.keys(INTERNAL_POLICIES).filter((name) => name.includes('/internal/')))('%s is not on the public listener', async (name) => {
    const [method = '', path = ''] = name.split(' ')
    for (const bearer of [sandboxToken, owner.token, admin.token]) {
      expect((await fetch(app.portal.url + path, { method, headers: { authorization: `Bearer ${bearer}` } })).status).toBe(404)
    }
  })
})
