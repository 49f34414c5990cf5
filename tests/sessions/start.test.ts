import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { EventListener } from '../support/event-listener.ts'

setDefaultTimeout(60_000)
const folder = mkdtempSync(join(tmpdir(), 'sac-test-silent-'))
const silent = join(folder, 'silent-claude')
let app: TestApp
let mira: Person

beforeAll(() => writeFileSync(silent, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 }))
afterAll(async () => {
  await app?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

interface Told {
  status: string
  percent: number
  reason: string | null
  steps: { step: string; startedMs: number; endedMs?: number }[]
}

async function begun(name: string): Promise<{ first: Told; listener: EventListener; told: () => Told[] }> {
  const agentId = await mira.createAgent(name)
  const { body, status } = await mira.ask<Told & { session_id: string }>('POST', '/api/sessions', { agent_id: agentId })
  expect(status).toBe(201)
  const listener = new EventListener(() => `${app.portal.url}/api/sessions/${body.session_id}/events`, mira.token)
  return { first: body, listener, told: () => listener.heard.filter(({ event }) => event === 'session').map(({ data }) => JSON.parse(data) as Told) }
}

test('a start is answered at once and told step by step, with a bar that never goes back, until the terminal answered', async () => {
  app = await startTestApp()
  mira = await app.as('mira')
  const { first, listener, told } = await begun('Quick')
  expect(first).toMatchObject({ status: 'creating', steps: [] })
  await until(() => told().at(-1)?.status === 'running', { timeoutMs: 30_000, what: 'a running session' })
  await listener.end()
  const { steps } = told().at(-1) as Told
  expect(steps.map(({ step }) => step)).toEqual(['scheduling', 'image', 'starting', 'restoring', 'terminal'])
  for (const { startedMs, endedMs } of steps) expect(endedMs).toBeGreaterThanOrEqual(startedMs)
  const bar = told().map(({ percent }) => percent)
  expect(bar).toEqual([...bar].sort((a, b) => a - b))
  expect(bar.at(-1)).toBe(100)
  await app[Symbol.asyncDispose]()
})

test.each([
  ['the terminal says nothing', { readyMs: 60_000, answerMs: 400 }, /did not answer within a minute/],
  ['the whole start takes too long', { readyMs: 400, answerMs: 60_000 }, /not ready after five minutes/],
])('when %s the start ends with a reason and a next step, nothing of it goes on, and it can be tried again', async (_name, startLimits, reason) => {
  app = await startTestApp({ claudeBin: silent, startLimits })
  mira = await app.as('mira')
  const { listener, told } = await begun('Silent')
  await until(() => told().at(-1)?.status === 'failed', { timeoutMs: 30_000, what: 'a failed session' })
  await listener.end()
  expect(told().at(-1)?.reason).toMatch(reason)
  expect(told().at(-1)?.reason).toContain('Try again')
  await until(async () => (await app.portal.context.runtime.list()).every(({ phase }) => phase === 'absent'), { what: 'the end of the sandbox' })
  const agentId = (await mira.ask<{ agents: { id: number }[] }>('GET', '/api/agents')).body.agents[0]?.id
  expect((await mira.ask('POST', '/api/sessions', { agent_id: agentId })).body).toMatchObject({ status: 'creating', reason: null })
  await app[Symbol.asyncDispose]()
})
