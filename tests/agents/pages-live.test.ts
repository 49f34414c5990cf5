// The stream that keeps an open page true: whatever happened between its drawing and its connection is made up for.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

setDefaultTimeout(60_000)
let app: TestApp
let mira: Person
let agent: number
let session: string

beforeAll(async () => {
  app = await startTestApp()
  mira = await app.as('mira')
  agent = await mira.createAgent('Quarterly report')
  session = await mira.startAgent(agent)
})
afterAll(() => app[Symbol.asyncDispose]())

/** The stream of a page that shows these marks; `until` reads until all of `wanted` was in it. */
async function heard(shown: string, wanted: RegExp[], lastEventId?: string): Promise<string> {
  const abort = new AbortController()
  const headers = { authorization: `Bearer ${mira.token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) }
  const answer = await fetch(`${app.portal.url}/events?agent=${agent}&shown=${shown}`, { headers, signal: abort.signal })
  expect(answer.status).toBe(200)
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  void (async () => {
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) text += read.value
  })().catch(() => {})
  try {
    await until(() => wanted.every((part) => part.test(text)), { timeoutMs: 15_000, what: `${wanted} in the stream` })
    return text
  } finally {
    abort.abort()
  }
}

/** The marks of the workbench as it is drawn now; within an open page those of its main part only. */
async function drawn(within = false): Promise<string> {
  const headers = { authorization: `Bearer ${mira.token}`, ...(within ? { 'hx-request': 'true' } : {}) }
  const html = await (await fetch(`${app.portal.url}/agents/${agent}`, { headers })).text()
  return /shown=([\w.~-]+)/.exec(html)?.[1] ?? ''
}

const ids = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '')

test('a page that was drawn while the agent started gets the terminal when it connects', async () => {
  expect(await heard('stage.starting', [/hx-target="#stage"/])).toContain(`data-session="${session}"`)
})

test('a page that shows what is true is sent nothing of it, and of a change what it changed', async () => {
  await drawn()
  const shown = await drawn()
  const listening = heard(shown, [/hx-target="#stage-bar"/])
  await mira.ask('PUT', `/api/agents/${agent}`, { name: 'Yearly report' })
  const text = await listening
  expect(text).toContain('Yearly report')
  for (const part of ['stage', 'stage-notes', 'output', 'output-trouble']) expect(text).not.toContain(`hx-target="#${part}"`)
})

test('a page that comes back says by the last event what it shows, and gets what is different by now', async () => {
  const before = await drawn()
  const change = heard(before, [/Monthly report/])
  await mira.ask('PUT', `/api/agents/${agent}`, { name: 'Monthly report' })
  const last = ids(await change).at(-1) ?? ''
  await mira.ask('PUT', `/api/agents/${agent}`, { name: 'Yearly report' })
  // The address still has the marks of the first drawing, which is true again: the page itself shows something else.
  expect(await heard(before, [/Yearly report/], last)).toContain('hx-target="#stage-bar"')
})

test('a page that opens within another one gets the list of agents, which that one had drawn before', async () => {
  const marks = await drawn(true)
  expect(marks).not.toMatch(/(^|~)agents\./)
  const text = await heard(marks, [/hx-target="#agents-side"/, /hx-target="#agents-menu"/])
  expect(text).not.toContain('hx-target="#stage-bar"')
})

test('marks that nobody made are no marks', async () => {
  for (const last of ['\u00ff', 'x'.repeat(5000), 'stage.', '~~.~', 'stage-bar.1~stage-bar.2']) await heard('', [/hx-target="#stage"/, /hx-target="#output"/], last)
})

test('a page that shows the terminal keeps it, and hears of a change that needs a restart', async () => {
  await mira.ask('PUT', `/api/agents/${agent}`, { config: { anthropic_haiku_model: 'claude-haiku-4-5' } })
  const text = await heard(`stage.${session}`, [/hx-target="#stage-bar"/, /hx-target="#stage-notes"/, /Saved changes wait for a restart/])
  expect(text).not.toContain('hx-target="#stage"')
})

test('a file that came before the page connected is in its list', async () => {
  const root = join(app.dataDir, 'sandboxes')
  const folder = readdirSync(root).find((name) => name.endsWith(`-${agent}`)) ?? ''
  writeFileSync(join(root, folder, 'workspace', 'output', 'early.txt'), 'early')
  await until(async () => (await mira.ask<{ total_files: number }>('GET', `/api/workspace/output/files?agent_id=${agent}`)).body.total_files === 1, {
    timeoutMs: 15_000,
    what: 'the file',
  })
  await heard(`stage.${session}`, [/hx-target="#output"/, /data-path="early\.txt"/])
})
