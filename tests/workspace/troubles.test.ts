import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../src/lib/errors.ts'
import { until } from '../../src/lib/until.ts'
import { OutputTroubles } from '../../src/workspace/output-troubles.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { smallDisk } from '../support/disk.ts'
import { EventListener } from '../support/event-listener.ts'
import { inconsistencies } from '../support/output-state.ts'

setDefaultTimeout(60_000)

interface Listed {
  files: { name: string; size: number }[]
  trouble: { code: string; message: string; files: number } | null
}

let app: TestApp
let alice: Person
let agentId: number
let output = ''
beforeAll(async () => {
  app = await startTestApp()
  mkdirSync(join(app.dataDir, 'storage'), { recursive: true })
  alice = await app.as('alice')
  agentId = await alice.createAgent()
  await alice.startAgent(agentId)
  const agent = await app.portal.context.agents.present(agentId)
  output = join(app.dataDir, 'sandboxes', `${agent?.createdBy}-${agentId}`, 'workspace', 'output')
})
afterAll(() => app[Symbol.asyncDispose]())

const list = async () => (await alice.ask<Listed>('GET', `/api/workspace/output/files?agent_id=${agentId}`)).body
const names = async () => (await list()).files.map((file) => file.name)
const consistent = () => until(async () => (await inconsistencies(app.portal.context.database.db, join(app.dataDir, 'storage'))).length === 0, { what: 'one story' })
const page = async () => String((await alice.ask('GET', `/agents/${agentId}`)).body)
const WORDS = 'New files are not arriving'

describe('a full disk of the storage', () => {
  test('is told on page and API, loses nothing, lets people delete, and is over as soon as there is room', async () => {
    using disk = smallDisk('16m', join(app.dataDir, 'storage'))
    if (!disk) return
    writeFileSync(join(output, 'early'), 'x'.repeat(2_000_000))
    await until(async () => (await names()).includes('early'), { what: 'the early file' })
    expect(await page()).not.toContain(WORDS)
    const live = new EventListener(() => `${app.portal.url}/events?agent=${agentId}`, alice.token)
    disk.fill(0)
    for (let file = 0; file < 5; file++) writeFileSync(join(output, `late-${file}`), `late ${file}`)
    const full = await until(async () => ((await list()).trouble?.files === 5 ? list() : undefined), { timeoutMs: 20_000, what: 'the trouble' })
    expect(full.trouble).toEqual({ code: 'disk_full', message: expect.stringContaining('disk is full'), files: 5 })
    expect(full.files.map((file) => file.name)).toEqual(['early'])
    expect(await page()).toContain(WORDS)
    await until(() => live.heard.some(({ data }) => data.includes(WORDS)), { timeoutMs: 15_000, what: 'the words on an open page' })
    // One of them is not wanted any more, and a stored one goes although the disk is full.
    unlinkSync(join(output, 'late-4'))
    unlinkSync(join(output, 'early'))
    await until(async () => (await names()).length === 0, { what: 'the removal' })
    disk.empty()
    await until(async () => (await names()).length === 4, { timeoutMs: 45_000, what: 'the late files' })
    await until(async () => (await list()).trouble === null, { what: 'the end of the trouble' })
    expect(await page()).not.toContain(WORDS)
    await consistent()
    await live.end()
    for (let file = 0; file < 4; file++) unlinkSync(join(output, `late-${file}`))
    await until(async () => (await names()).length === 0, { what: 'an empty list' })
    await consistent()
  })
})

test('a full quota is told with what helps, and deleting makes the rest arrive', async () => {
  const user = await app.portal.context.users.checkPassword('alice', 'a phrase for testing', 'test')
  await app.portal.context.settings.setForUser(user.id, 'output_max_files', 2)
  // Another name each time: a limit is known for some seconds, and what has come in by then may go on changing.
  const written: string[] = []
  await until(
    async () => {
      written.push(`file ${written.length}`)
      writeFileSync(join(output, written.at(-1) ?? ''), 'full')
      return (await list()).trouble?.code === 'quota_exceeded'
    },
    { timeoutMs: 20_000, intervalMs: 500, what: 'a full quota' },
  )
  const stored = await names()
  const rest = written.filter((name) => !stored.includes(name))
  expect(rest.length).toBeGreaterThan(0)
  for (const name of stored) unlinkSync(join(output, name))
  await until(async () => (await names()).some((name) => rest.includes(name)), { timeoutMs: 30_000, what: 'one of the others' })
  await app.portal.context.settings.setForUser(user.id, 'output_max_files', 100)
  await until(async () => (await names()).sort().join() === rest.sort().join(), { timeoutMs: 30_000, what: 'the others' })
  await until(async () => (await list()).trouble === null, { what: 'the end of the trouble' })
})

test('an output folder that is removed while the agent runs comes back, and what is written then arrives', async () => {
  rmSync(output, { recursive: true })
  await until(async () => (await names()).length === 0, { timeoutMs: 20_000, what: 'an empty list' })
  await until(
    () => {
      try {
        writeFileSync(join(output, 'again'), 'after the folder was removed')
        return true
      } catch {
        return false
      }
    },
    { timeoutMs: 20_000, what: 'the folder' },
  )
  await until(async () => (await names()).includes('again'), { timeoutMs: 20_000, what: 'the new file' })
  renameSync(join(output, 'again'), join(output, 'renamed'))
  await until(async () => (await names()).join() === 'renamed', { timeoutMs: 20_000, what: 'the new name' })
  await consistent()
})

test('a trouble is that of the newest refusal, goes with its paths, and is bounded', () => {
  const troubles = new OutputTroubles()
  const refusal = (kind: 'disk_full' | 'too_large' | 'conflict' | 'unavailable', code: string) => new AppError(kind, code, code)
  troubles.refused(1, 'a', refusal('conflict', 'path_conflict'))
  expect(troubles.of(1)).toBeUndefined()
  troubles.refused(1, 'a', refusal('disk_full', 'disk_full'))
  troubles.refused(1, 'b', refusal('too_large', 'file_too_large'))
  expect(troubles.of(1)).toMatchObject({ code: 'file_too_large', files: 2 })
  expect(troubles.of(2)).toBeUndefined()
  troubles.settled(1, 'b')
  expect(troubles.of(1)).toMatchObject({ code: 'disk_full', files: 1 })
  troubles.settled(1, 'a')
  expect(troubles.of(1)).toBeUndefined()
  for (let path = 0; path < 5000; path++) troubles.refused(1, `${path}`, refusal('unavailable', 'database_down'))
  expect(troubles.of(1)).toMatchObject({ code: 'database_down', files: 1000, message: expect.stringContaining('tries again') })
  troubles.forget(1)
  expect(troubles.of(1)).toBeUndefined()
})
