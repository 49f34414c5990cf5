// Agents that do not run, agents that are stopped, and agents whose image somebody else chooses, while a rollout goes on.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { until } from '../../src/lib/until.ts'
import { rolloutAgents, rollouts } from '../../src/rollouts/schema.ts'
import { RolloutSteps } from '../../src/rollouts/steps.ts'
import { sandboxStarts } from '../../src/sessions/schema.ts'
import type { Person, TestApp } from '../support/app.ts'
import { startImageApp } from './image-app.ts'
import { MISSING, NEW, OLD, SLOW } from './image-runtime.ts'

setDefaultTimeout(90_000)

interface RolloutJson {
  id: number
  status: string
  reason: string | null
  wave: number
  queued: number
  updating: number
  done: number
  failed: number
  skipped: number
  agents: { agent_id: number | null; state: string; reason: string | null }[]
}

let app: TestApp
let alice: Person
let admin: Person
const ids: number[] = []
beforeAll(async () => {
  app = (await startImageApp()).app
  const { settings } = app.portal.context
  await settings.set('max_agents_per_user', 100, undefined)
  await settings.set('allowed_images', [OLD, NEW, SLOW], undefined)
  alice = await app.as('alice')
  admin = await app.admin()
})
afterAll(() => app[Symbol.asyncDispose]())

const row = async (id: number) => {
  const agent = await app.portal.context.agents.present(id)
  if (!agent) throw new Error(`no agent ${id}`)
  return agent
}
const status = async (agentId: number) => (await app.portal.context.sessions.ofAgent(agentId))?.status
const becomes = (agentId: number, wanted: string) => until(async () => (await status(agentId)) === wanted, { timeoutMs: 30_000, what: `agent ${agentId} ${wanted}` })
const begin = async (body: object) => (await admin.ask<RolloutJson>('POST', '/api/admin/rollouts', { quiet_seconds: 0, ...body })).body.id
const read = async (id: number) => (await admin.ask<RolloutJson>('GET', `/api/admin/rollouts/${id}`)).body
const over = (id: number) =>
  until(
    async () => {
      const rollout = await read(id)
      return rollout.status !== 'running' && rollout.updating === 0 ? rollout : undefined
    },
    { timeoutMs: 60_000, what: `the end of rollout ${id}` },
  )

async function running(): Promise<number> {
  const id = await dormant()
  await alice.startAgent(id)
  return id
}

async function dormant(): Promise<number> {
  const id = await alice.createAgent(`A${ids.length}`)
  ids.push(id)
  return id
}

test('an image that no running agent comes up with is given to none that does not run', async () => {
  const [live, still] = [await running(), await dormant()]
  const before = await row(still)
  const rollout = await over(await begin({ image: MISSING, agent_ids: [still, live], max_failures: 3 }))
  expect(rollout).toMatchObject({ status: 'stopped', failed: 1, skipped: 1, done: 0 })
  expect(rollout.reason).toContain('No agent came up with this image')
  expect(await row(still)).toMatchObject({ image: null, version: before.version })
  expect(await row(live)).toMatchObject({ image: null, startedImage: OLD })
})

test('those that do not run get the image after a wave came up with it, and not before', async () => {
  const [live, still] = [await running(), await dormant()]
  await app.portal.context.sessions.noteActivity(live, 'working', 'Edits')
  const id = await begin({ image: NEW, agent_ids: [still, live] })
  await until(async () => (await read(id)).queued === 2, { what: 'both waiting' })
  await app.portal.context.bus.publish({ kind: 'rollout.changed', userId: 0, rolloutId: id })
  expect(await row(still)).toMatchObject({ image: null })
  await app.portal.context.sessions.noteActivity(live, 'waiting', null)
  expect(await over(id)).toMatchObject({ status: 'done', done: 2, wave: 1 })
  expect([(await row(live)).startedImage, (await row(still)).image]).toEqual([NEW, NEW])
})

test('where none runs they get it; the first start that fails with it goes back by itself, and the rollout says so', async () => {
  const slept = await running()
  await app.portal.context.sessions.stop(await row(slept), 'Stopped.')
  await becomes(slept, 'stopped')
  const id = await begin({ image: MISSING, agent_ids: [slept] })
  expect(await over(id)).toMatchObject({ status: 'done', done: 1, wave: 0 })
  expect((await row(slept)).image).toBe(MISSING)
  const seen = new Set<string | undefined>()
  const off = app.portal.context.bus.subscribe((event) => {
    if (event.kind === 'session.changed' && event.agentId === slept) void status(slept).then((word) => seen.add(word))
  })
  await alice.startAgent(slept)
  off()
  expect(seen.has('failed')).toBe(false)
  expect(await row(slept)).toMatchObject({ image: null, startedImage: OLD })
  const rollout = await until(async () => {
    const now = await read(id)
    return now.failed === 1 ? now : undefined
  })
  expect(rollout.agents[0]?.reason).toContain('It runs its old image again.')
})

test('an image that came up once is not to blame for a start that fails later', async () => {
  const still = await dormant()
  await over(await begin({ image: NEW, agent_ids: [still] }))
  await alice.startAgent(still)
  const session = await app.portal.context.sessions.ofAgent(still)
  const agent = await row(still)
  if (!session) throw new Error('no session')
  const steps = stepsOf()
  const { db } = app.portal.context.database
  await until(async () => (await db.select().from(sandboxStarts).where(eq(sandboxStarts.agentId, still))).some(({ outcome }) => outcome === 'ready'), {
    what: 'the record of its start',
  })
  await app.portal.context.sessions.change(session, ['running'], { status: 'creating' })
  expect(await steps.recover(agent, { ...session, status: 'creating' }, 'The node is full.')).toBe(false)
  expect(await row(still)).toMatchObject({ image: NEW })
  await becomes(still, 'running')
})

test('stopped while its new image hangs, an agent keeps the image that it had', async () => {
  const live = await running()
  const id = await begin({ image: SLOW, agent_ids: [live] })
  await until(async () => (await row(live)).startedImage === SLOW, { timeoutMs: 20_000, what: 'a start that hangs' })
  await app.portal.context.sessions.stop(await row(live), 'Stopped.')
  expect(await over(id)).toMatchObject({ skipped: 1, done: 0 })
  expect((await read(id)).agents[0]?.reason).toContain('It was stopped before it came up with the new image')
  expect((await row(live)).image).toBeNull()
  await alice.startAgent(live)
  expect(await row(live)).toMatchObject({ image: null, startedImage: OLD })
})

test('going back, an agent gets what it ran, not what it was yet to run', async () => {
  const live = await running()
  await alice.ask('PUT', `/api/agents/${live}`, { image: NEW })
  const id = await begin({ image: MISSING, agent_ids: [live] })
  await over(id)
  expect(await row(live)).toMatchObject({ image: OLD, startedImage: OLD })
})

test('an image that its owner chooses while the rollout’s hangs stays chosen', async () => {
  const live = await running()
  const id = await begin({ image: SLOW, agent_ids: [live] })
  await until(async () => (await row(live)).startedImage === SLOW, { timeoutMs: 20_000, what: 'a start that hangs' })
  expect((await alice.ask('PUT', `/api/agents/${live}`, { image: NEW })).status).toBe(200)
  const session = await app.portal.context.sessions.ofAgent(live)
  if (!session) throw new Error('no session')
  expect(await stepsOf().recover(await row(live), session, 'It took too long.')).toBe(true)
  expect(await over(id)).toMatchObject({ skipped: 1, failed: 0 })
  await becomes(live, 'running')
  expect(await row(live)).toMatchObject({ image: NEW, startedImage: NEW })
})

test('a form that was open before a rollout changed the image is refused', async () => {
  const still = await dormant()
  const { version } = await row(still)
  await over(await begin({ image: NEW, agent_ids: [still] }))
  const late = await alice.ask('PUT', `/api/agents/${still}`, { image: OLD }, { 'if-match': `"${version}"` })
  expect(late.status).toBe(412)
  expect((await row(still)).image).toBe(NEW)
})

test('one replica alone begins a wave, and none while one is under way', async () => {
  const live = await running()
  await app.portal.context.sessions.noteActivity(live, 'working', 'Edits')
  const id = await begin({ image: NEW, agent_ids: [live] })
  const { db } = app.portal.context.database
  const [seen] = await db.select().from(rollouts).where(eq(rollouts.id, id))
  if (!seen) throw new Error('no rollout')
  const claims = await Promise.all([stepsOf().claimWave(seen), stepsOf().claimWave(seen), stepsOf().claimWave(seen)])
  expect(claims.filter((wave) => wave !== undefined)).toEqual([1])
  await db.update(rolloutAgents).set({ state: 'updating' }).where(eq(rolloutAgents.rolloutId, id))
  expect(await stepsOf().claimWave({ ...seen, wave: 1 })).toBeUndefined()
  await admin.ask('POST', `/api/admin/rollouts/${id}/cancellation`)
  expect(await stepsOf().claimWave({ ...seen, wave: 1 })).toBeUndefined()
})

test('rollouts that were over long ago are forgotten, others are not', async () => {
  const { db } = app.portal.context.database
  const [old, kept] = await db.select({ id: rollouts.id }).from(rollouts).where(eq(rollouts.status, 'done')).orderBy(rollouts.id).limit(2)
  if (!old || !kept) throw new Error('two rollouts were expected')
  await db.update(rollouts).set({ finishedAt: sql`now() - interval '200 days'` }).where(eq(rollouts.id, old.id))
  await app.portal.context.rollouts.sweep()
  expect((await admin.ask('GET', `/api/admin/rollouts/${old.id}`)).status).toBe(404)
  expect((await admin.ask('GET', `/api/admin/rollouts/${kept.id}`)).status).toBe(200)
})

test('a form whose agents are gone asks for a choice, and never means all', async () => {
  const post = async (path: string, fields: [string, string][]) => {
    const answer = await fetch(app.portal.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin.token}` },
      body: new URLSearchParams(fields),
      redirect: 'manual',
    })
    return { status: answer.status, html: await answer.text() }
  }
  expect((await post('/admin/rollouts/new', [])).html).toMatch(/<option value="" selected[^>]*>\s*Choose…/)
  const before = (await admin.ask<{ rollouts: unknown[] }>('GET', '/api/admin/rollouts')).body.rollouts.length
  const wish: [string, string][] = [
    ['image', NEW],
    ['wave_size', '5'],
    ['max_failures', '3'],
    ['wait_minutes', '30'],
  ]
  const gone = await post('/admin/rollouts', [['agents', 'chosen'], ['ids', '987654321'], ...wish])
  expect(gone.status).toBe(422)
  expect(gone.html).toMatch(/<option value="chosen" selected/)
  expect(gone.html).not.toContain('value="all" selected')
  for (const agents of ['chosen', '']) {
    const again = await post('/admin/rollouts', [['agents', agents], ...wish])
    expect(again.status).toBe(422)
    expect(again.html).toContain('Choose which agents.')
    expect(again.html).not.toContain('value="all" selected')
  }
  expect((await admin.ask<{ rollouts: unknown[] }>('GET', '/api/admin/rollouts')).body.rollouts.length).toBe(before)
})

function stepsOf(): RolloutSteps {
  const { database, rollouts, sessions, settings } = app.portal.context
  return new RolloutSteps({ db: database.db, rollouts, sessions, settings })
}
