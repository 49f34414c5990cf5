import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let agentId: number
let output: string
let sandbox: string
beforeAll(async () => {
  app = await startTestApp()
  const alice = await app.as('alice')
  agentId = await alice.createAgent()
  await alice.startAgent(agentId)
  sandbox = join(app.dataDir, 'sandboxes', `1-${agentId}`)
  output = join(sandbox, 'workspace', 'output')
}, 60_000)
afterAll(() => app[Symbol.asyncDispose]())

async function stored(): Promise<Map<string, number>> {
  const rows = await app.portal.context.outputs.changesAfter(agentId, 0, 100_000)
  return new Map(rows.filter((row) => !row.deletedAt).map((row) => [row.path, row.size]))
}

const has = (check: (files: Map<string, number>) => boolean, what: string, timeoutMs = 20_000) => until(async () => check(await stored()), { timeoutMs, intervalMs: 100, what })

test('nested folders, renames and deletes arrive', async () => {
  mkdirSync(join(output, 'a/b/c'), { recursive: true })
  writeFileSync(join(output, 'a/b/c/deep.txt'), 'deep')
  await has((files) => files.get('a/b/c/deep.txt') === 4, 'a file in new folders')
  renameSync(join(output, 'a/b'), join(output, 'a/renamed'))
  await has((files) => files.has('a/renamed/c/deep.txt') && !files.has('a/b/c/deep.txt'), 'a renamed folder')
  rmSync(join(output, 'a'), { recursive: true })
  await has((files) => files.size === 0, 'an empty folder')
  writeFileSync(join(output, 'a'), 'now a file')
  await has((files) => files.get('a') === 10, 'a file where a folder was')
})

test('links are not followed', async () => {
  writeFileSync(join(sandbox, 'hidden', 'canary'), 'canary')
  symlinkSync(join(sandbox, 'hidden', 'canary'), join(output, 'link'))
  symlinkSync(join(sandbox, 'hidden'), join(output, 'folder-link'))
  writeFileSync(join(output, 'after-links'), 'x')
  await has((files) => files.has('after-links'), 'the file behind the links')
  const files = await stored()
  expect([...files.keys()].filter((path) => path.includes('link') && path !== 'after-links')).toEqual([])
})

test('ten thousand small files in a hundred new folders all arrive, though the sidecar is killed on the way', async () => {
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(join(output, `storm/${folder}`), { recursive: true })
    for (let file = 0; file < 100; file++) writeFileSync(join(output, `storm/${folder}/${file}.txt`), `content ${folder} ${file}`)
  }
  await has((files) => files.size > 500, 'the first of them')
  process.kill((JSON.parse(readFileSync(join(sandbox, 'hidden', 'sidecar'), 'utf8')) as { pid: number }).pid, 'SIGKILL')
  await has((files) => [...files.keys()].filter((path) => path.startsWith('storm/')).length === 10_000, 'all ten thousand', 60_000)
}, 120_000)

test('a removed output folder comes back, and what it held is gone', async () => {
  rmSync(output, { recursive: true })
  await has((files) => files.size === 0, 'an empty output', 60_000)
  await until(() => {
    try {
      writeFileSync(join(output, 'again'), 'again')
      return true
    } catch {
      return false
    }
  })
  await has((files) => files.has('again'), 'a file in the new folder')
}, 120_000)
