// Agents of everyone: admins find, list, read, stop and restart them; nobody else learns that they are there.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { FLEET_STATES, stateSql } from '../../src/admin/fleet-query.ts'
import { secretContext } from '../../src/agents/environment.ts'
import { agents, sessions } from '../../src/db/schema.ts'
import { SecretBox } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { agentState } from '../../src/sessions/agent-statuses.ts'
import { SESSION_STATUSES } from '../../src/sessions/schema.ts'
import { STATE_ORDER } from '../../views/admin/fleet-address.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { EMPTY_CONFIG } from '../support/empty-config.ts'

setDefaultTimeout(60_000)
let app: TestApp
let admin: Person
let mira: Person
let bob: Person
let miraId: number
let bobId: number
beforeAll(async () => {
  app = await startTestApp()
  admin = await app.admin()
  mira = await app.as('mira')
  bob = await app.as('bob')
  miraId = await idOf(mira)
  bobId = await idOf(bob)
  await app.portal.context.settings.set('max_agents_per_user', 1000, undefined)
})
afterAll(() => app[Symbol.asyncDispose]())

interface Listed {
  agents: { id: number; name: string; status: string; reason: string | null; user_id: number; owner: { username: string } }[]
  counts: Record<string, number>
  before: string | null
  after: string | null
}

const idOf = async (person: Person) => (await person.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
const list = async (query = '') => (await admin.ask<Listed>('GET', `/api/admin/agents?${query}`)).body
const names = (listed: Listed) => listed.agents.map(({ name }) => name)

/** Rows as they would be after some use: one agent for each status and activity. */
async function made(userId: number, prefix: string) {
  const { db } = app.portal.context.database
  // Only what the reconcile loop leaves alone: nothing here has a sandbox.
  const kinds = SESSION_STATUSES.filter((status) => !['creating', 'running', 'idle'].includes(status)).flatMap((status) =>
    [null, 'working', 'needs-you'].map((activity) => ({ status, activity })),
  )
  const rows = await db
    .insert(agents)
    .values(kinds.map(({ status }, at) => ({ createdBy: userId, name: `${prefix} ${at} ${status}`, config: EMPTY_CONFIG })))
    .returning()
  await db.insert(sessions).values(
    rows.map(({ id }, at) => ({
      id: crypto.randomUUID(),
      userId,
      agentId: id,
      lastActive: new Date(Date.UTC(2026, 0, 1, 0, at % 4)),
      ...(kinds[at] as { status: 'failed'; activity: null }),
    })),
  )
  return rows
}

describe('the list', () => {
  beforeAll(async () => {
    await made(miraId, 'Mira')
    await made(bobId, 'Bob%_\\')
  })

  test('has everyone’s agents once, page by page, forwards and back, in every order', async () => {
    const all = names(await list('limit=200'))
    expect(all.length).toBeGreaterThan(20)
    for (const sort of ['state', 'name', 'owner', 'active']) {
      for (const dir of ['asc', 'desc']) {
        const order = `sort=${sort}&dir=${dir}&limit=7`
        const pages: number[][] = []
        let page = await list(order)
        expect(page.before).toBeNull()
        for (;;) {
          pages.push(page.agents.map(({ id }) => id))
          if (!page.after) break
          page = await list(`${order}&after=${page.after}`)
        }
        expect(new Set(pages.flat()).size).toBe(all.length)
        expect(pages.flat()).toEqual((await list(`sort=${sort}&dir=${dir}&limit=200`)).agents.map(({ id }) => id))
        for (const expected of pages.slice(0, -1).reverse()) {
          page = await list(`${order}&before=${page.before}`)
          expect(page.agents.map(({ id }) => id)).toEqual(expected)
        }
        expect(page.before).toBeNull()
      }
    }
  })

  test('keeps its place when rows come and go before it', async () => {
    const first = await list('sort=name&limit=5')
    const second = names(await list(`sort=name&limit=5&after=${first.after}`))
    const id = await bob.createAgent('A first one')
    await bob.ask('DELETE', `/api/agents/${first.agents[4]?.id}`)
    expect(names(await list(`sort=name&limit=5&after=${first.after}`))).toEqual(second)
    await bob.ask('DELETE', `/api/agents/${id}`)
  })

  test('says the same state as the owner’s list, for every status and activity', async () => {
    const { db } = app.portal.context.database
    const kinds = SESSION_STATUSES.flatMap((status) => ([null, 'working', 'waiting', 'needs-you'] as const).map((activity) => ({ status, activity })))
    const agentId = (await list()).agents[0]?.id ?? 0
    // In a transaction that is never committed: the reconcile loop would act upon what is made up here.
    const undone = db.transaction(async (tx) => {
      await tx.delete(sessions)
      for (const kind of kinds) {
        const [row] = await tx
          .insert(sessions)
          .values({ id: crypto.randomUUID(), userId: miraId, agentId, ...kind })
          .returning()
        const [found] = await tx.select({ state: stateSql }).from(sessions)
        expect({ ...kind, state: found?.state }).toEqual({ ...kind, state: agentState(row) })
        await tx.delete(sessions)
      }
      tx.rollback()
    })
    expect(await undone.catch((error: Error) => error.constructor.name)).toBe('TransactionRollbackError')
  })

  test('offers the states in the order that it sorts them by', () => {
    expect(STATE_ORDER).toEqual(FLEET_STATES)
  })

  test('finds by parts of names and by number, whatever is in them; counts by state go with the search', async () => {
    expect(names(await list('q=bob%25_%5C%20&limit=200')).every((name) => name.startsWith('Bob%_\\'))).toBe(true)
    expect(names(await list('q=MIRA%40example&limit=200')).every((name) => name.startsWith('Mira'))).toBe(true)
    const [some] = (await list('sort=name&dir=desc')).agents
    expect((await list(`q=%23${some?.id}`)).agents.map(({ id }) => id)).toEqual([some?.id ?? 0])
    expect((await list('q=%00%ff%ed%a0%80nobody')).agents).toEqual([])
    const failed = await list('q=mira&state=failed')
    expect(failed.agents.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed'])
    expect(failed.counts).toMatchObject({ failed: 3, idle: 3 })
  })

  test('refuses what it does not know, with a reason', async () => {
    const cursor = (await list('sort=name&limit=3')).after
    for (const query of [
      'sort=secrets',
      'state=gone',
      'dir=up',
      'limit=201',
      'limit=0',
      'after=%27',
      'after=aGFsbG8',
      `after=${cursor}&sort=active`,
      'offset=3',
      `q=${'x'.repeat(101)}`,
    ]) {
      expect({ query, status: (await admin.ask('GET', `/api/admin/agents?${query}`)).status }).toEqual({ query, status: 422 })
    }
  })

  test('agents of one person are listed as the reference lists them; an unknown person is not there', async () => {
    const { body } = await admin.ask<Listed & { agents: { pod_status: string; restart_count: number }[] }>('GET', `/api/admin/users/${bobId}/agents`)
    expect(new Set(body.agents.map(({ user_id }) => user_id))).toEqual(new Set([bobId]))
    expect(body.agents.find(({ status }) => status === 'failed')).toMatchObject({ pod_status: 'Error', restart_count: 0 })
    for (const id of ['0', '987654', 'x', '1e3']) expect((await admin.ask('GET', `/api/admin/users/${id}/agents`)).status).toBe(404)
  })
})

describe('one agent', () => {
  let agentId: number
  let sessionId: string
  beforeAll(async () => {
    const config = { anthropic_auth_token: 'the-key-of-mira', custom_envs: [{ key: 'SECRET', value: 'another secret of hers', secret: true }] }
    agentId = (await mira.ask<{ id: number }>('POST', '/api/agents', { name: 'Running', instructions: 'private words', config })).body.id
    sessionId = await mira.startAgent(agentId)
  })

  const session = async () => (await mira.ask<{ status: string; reason: string | null }>('GET', `/api/sessions/${sessionId}`)).body
  const pages = () => Promise.all(['', `/${agentId}`].map(async (path) => (await admin.ask<string>('GET', `/admin/agents${path}`, undefined, { accept: 'text/html' })).body))

  test('shows its start, its use and its owner, and nothing that is secret or private', async () => {
    const read = () => admin.ask<{ status: string; starts: { outcome: string }[]; metrics: { kind: string }; memory_usage_bytes: number }>('GET', `/api/admin/agents/${agentId}`)
    // An agent runs a moment before its start is on record.
    await until(async () => (await read()).body.starts[0]?.outcome === 'ready', { what: 'the record of its start' })
    const { body, status } = await read()
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'running', starts: [{ outcome: 'ready', evidence: null }], events: [], metrics: { kind: 'here' }, owner: { username: 'mira' } })
    expect(body.memory_usage_bytes).toBeGreaterThan(0)
    for (const text of [JSON.stringify(body), ...(await pages())]) expect(text).not.toMatch(/the-key-of-mira|another secret|private words|ciphertext/)
  })

  test('is stopped with words that its owner sees, and is started again by its owner', async () => {
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${agentId}/stop`, { reason: 'The disk is changed tonight.' })).status).toBe(204)
    expect(await session()).toMatchObject({ status: 'stopped', reason: 'Stopped by an admin. The disk is changed tonight.' })
    const page = (await mira.ask<string>('GET', `/agents/${agentId}`, undefined, { accept: 'text/html' })).body
    expect(page).toContain('Stopped by an admin. The disk is changed tonight.')
    // Nothing runs any more; to ask again changes nothing.
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${agentId}/stop`)).status).toBe(204)
    expect((await session()).reason).toBe('Stopped by an admin. The disk is changed tonight.')
    await mira.startAgent(agentId)
    expect((await mira.ask<string>('GET', `/agents/${agentId}`, undefined, { accept: 'text/html' })).body).not.toContain('admin.')
  })

  test('is restarted with words that stay above its terminal until its owner starts it anew', async () => {
    const form = new URLSearchParams({ reason: 'A new image, <b>now</b>.' })
    const answer = await fetch(`${app.portal.url}/admin/agents/${agentId}/restart`, {
      method: 'POST',
      redirect: 'manual',
      headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    })
    expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({ status: 303, location: `/admin/agents/${agentId}` })
    await until(async () => (await session()).status === 'running', { timeoutMs: 30_000, what: 'the new start' })
    const page = async () => (await mira.ask<string>('GET', `/agents/${agentId}`, undefined, { accept: 'text/html' })).body
    expect(await page()).toContain('<b>An admin restarted this agent.</b><p>A new image, &lt;b&gt;now&lt;/b&gt;.</p>')
    await mira.ask('POST', `/api/agents/${agentId}/restart`)
    await until(async () => (await session()).status === 'running', { timeoutMs: 30_000, what: 'the next start' })
    expect(await page()).not.toContain('An admin restarted')
  })

  test('that sleeps is stopped like one that runs', async () => {
    await app.portal.context.sessions.sleep({ id: sessionId }, new Date())
    expect(await session()).toMatchObject({ status: 'asleep' })
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${agentId}/stop`, { reason: 'Nobody needs it.' })).status).toBe(204)
    expect(await session()).toMatchObject({ status: 'stopped', reason: 'Stopped by an admin. Nobody needs it.' })
    await mira.startAgent(agentId)
  })

  test('that was never started is started by a restart, and its owner is told so, too', async () => {
    const id = await mira.createAgent('Never started')
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${id}/restart`, { reason: 'To see whether it comes up.' })).status).toBe(200)
    await mira.startAgent(id)
    expect((await mira.ask<string>('GET', `/agents/${id}`, undefined, { accept: 'text/html' })).body).toContain(
      '<b>An admin restarted this agent.</b><p>To see whether it comes up.</p>',
    )
    await mira.ask('DELETE', `/api/agents/${id}`)
  })

  test('with a secret that no key opens any more is looked at, stopped and restarted; its start says why it failed', async () => {
    const id = await mira.createAgent('Of a lost key')
    const ciphertext = new SecretBox(['ab'.repeat(32)]).seal('the-key-of-mira', secretContext(id, 'anthropic_auth_token'))
    const secrets = { anthropic_auth_token: { last4: '', setAt: new Date().toISOString(), ciphertext } }
    await app.portal.context.database.db.update(agents).set({ secrets }).where(eq(agents.id, id))
    const read = async () => (await admin.ask<{ status: string; starts: { outcome: string; reason: string | null }[] }>('GET', `/api/admin/agents/${id}`)).body
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${id}/restart`)).status).toBe(200)
    await until(async () => (await read()).status === 'failed', { timeoutMs: 30_000, what: 'the failed start' })
    expect((await read()).starts[0]).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('A stored secret cannot be read with the present keys.') })
    expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${id}/stop`)).status).toBe(204)
    expect((await admin.ask('GET', `/admin/agents/${id}`, undefined, { accept: 'text/html' })).status).toBe(200)
    await mira.ask('DELETE', `/api/agents/${id}`)
  })

  test('words that cannot be shown are refused, and nothing happens', async () => {
    for (const reason of ['x'.repeat(201), 'a\u0000b', '\u001b[31m']) {
      for (const verb of ['stop', 'restart']) expect((await admin.ask('POST', `/api/admin/users/${miraId}/agents/${agentId}/${verb}`, { reason })).status).toBe(422)
    }
    expect((await session()).status).toBe('running')
  })

  test('is found through its owner only, and by admins only', async () => {
    for (const verb of ['stop', 'restart']) {
      // Another person's number leads nowhere.
      expect((await admin.ask('POST', `/api/admin/users/${bobId}/agents/${agentId}/${verb}`)).status).toBe(404)
      // Its owner and strangers have their own ways, and not this one.
      for (const person of [mira, bob]) {
        expect((await person.ask('POST', `/api/admin/users/${miraId}/agents/${agentId}/${verb}`)).status).toBe(403)
        expect((await person.ask('POST', `/admin/agents/${agentId}/${verb}`)).status).toBe(403)
      }
    }
    for (const path of ['/admin', '/admin/agents', `/admin/agents/${agentId}`, '/admin/events?page=agents', '/api/admin/agents', `/api/admin/agents/${agentId}`])
      expect((await bob.ask('GET', path)).status).toBe(403)
    expect((await session()).status).toBe('running')
    expect((await mira.ask<string>('GET', '/account', undefined, { accept: 'text/html' })).body).not.toContain('/admin')
    expect((await admin.ask<string>('GET', '/account', undefined, { accept: 'text/html' })).body).toContain('href="/admin"')
  })
})
