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

/** What the stream says until all of `wanted` was in it. */
async function heard(shown: string, wanted: RegExp[]): Promise<string> {
  const abort = new AbortController()
  const answer = await fetch(`${app.portal.url}/events?agent=${agent}&shown=${shown}`, { headers: { authorization: `Bearer ${mira.token}` }, signal: abort.signal })
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

test('a page that was drawn while the agent started gets the terminal when it connects', async () => {
  expect(await heard('starting', [/hx-target="#stage"/])).toContain(`data-session="${session}"`)
})

test('a page that shows the terminal keeps it, and hears of a change that needs a restart', async () => {
  await mira.ask('PUT', `/api/agents/${agent}`, { config: { anthropic_haiku_model: 'claude-haiku-4-5' } })
  const text = await heard(session, [/hx-target="#stage-bar"/, /hx-target="#stage-notes"/, /Saved changes wait for a restart/])
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
  await heard(session, [/hx-target="#output"/, /data-path="early\.txt"/])
})
