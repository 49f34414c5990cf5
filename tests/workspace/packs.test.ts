import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { INTERNAL_PATHS, PACK_BYTES, PACK_CHANGES } from '../../src/internal/contract.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { oneStory } from '../support/output-state.ts'
import { Sandbox } from './sandbox.ts'

setDefaultTimeout(30_000)

let app: TestApp
let alice: Person
let box: Sandbox
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  box = await Sandbox.of(app, alice)
})
afterAll(() => app[Symbol.asyncDispose]())

afterEach(() => oneStory(app))

interface Listed {
  files: { name: string }[]
  trouble: { code: string; files: number } | null
}
const list = async (of = box, person = alice, path = '') => (await person.ask<Listed>('GET', `/api/workspace/output/files?agent_id=${of.agentId}&path=${path}`)).body
const names = async (of = box, person = alice, path = '') => (await list(of, person, path)).files.map(({ name }) => name)
const content = async (path: string) => String((await alice.ask('GET', `/api/workspace/output/files/download?agent_id=${box.agentId}&path=${encodeURIComponent(path)}`)).body)
const entry = (path: string, text: string) => [path, sha256Hex(text), Buffer.byteLength(text)]

test('the changes of a pack have one outcome each, as if each had come alone', async () => {
  await app.portal.context.settings.set('output_max_file_bytes', 1000, undefined)
  const bob = await app.as('bob')
  const own = await Sandbox.of(app, bob)
  await own.pack([
    ['same', 'same'],
    ['older', 'older'],
    ['going', 'going'],
    ['folder/file', 'x'],
  ])
  const wrongHash = ['wrong', sha256Hex('something else'), 5]
  const entries = [
    entry('new', 'new'),
    entry('same', 'same'),
    entry('older', 'newer'),
    ['going'],
    ['never'],
    entry('../x', 'x'),
    wrongHash,
    entry('folder', 'f'),
    entry('big', 'x'.repeat(1001)),
  ]
  const { status, body } = await own.packOf(entries, `newsamenewerxwrongf${'x'.repeat(1001)}`)
  expect(status).toBe(200)
  expect(body.outcomes?.map((outcome) => [outcome.status, outcome.code ?? outcome.duplicate ?? false])).toEqual([
    [201, false],
    [200, true],
    [200, false],
    [200, false],
    [200, true],
    [422, 'invalid_path'],
    [422, 'checksum_mismatch'],
    [409, 'path_conflict'],
    [413, 'file_too_large'],
  ])
  expect((await names(own, bob)).sort()).toEqual(['folder', 'new', 'older', 'same'])
  expect((await list(own, bob)).trouble).toMatchObject({ code: 'file_too_large', files: 1 })
  await app.portal.context.settings.set('output_max_file_bytes', 10 * 1024 ** 3, undefined)
})

test('a pack that is more than there is space for is stored as far as it goes, and the rest is told', async () => {
  await app.portal.context.settings.set('output_max_files', 3, undefined)
  const carol = await app.as('carol')
  const own = await Sandbox.of(app, carol)
  const { outcomes } = await own.pack(['a', 'b', 'c', 'd', 'e'].map((name) => [name, name]))
  expect(outcomes.map(({ status }) => status)).toEqual([201, 201, 201, 413, 413])
  expect((await list(own, carol)).trouble).toMatchObject({ code: 'quota_exceeded', files: 2 })
  expect((await own.pack([['d'], ['e']])).outcomes.map(({ status }) => status)).toEqual([200, 200])
  expect((await list(own, carol)).trouble).toBeNull()
  await app.portal.context.settings.set('output_max_files', 100_000, undefined)
})

test('a pack shares one transaction, so that its files follow each other', async () => {
  const { database } = app.portal.context
  const transactions = async () => Number([...(await database.db.execute<{ n: string }>(sql`select xmin::text as n from output_counters where agent_id = ${box.agentId}`))][0]?.n)
  await box.pack([['before', 'x']])
  const { outcomes } = await box.pack(Array.from({ length: PACK_CHANGES }, (_, at) => [`together/${at}`, `file ${at}`]))
  const seqs = outcomes.map(({ seq = 0 }) => seq)
  expect(seqs).toEqual(seqs.map((_, at) => (seqs[0] ?? 0) + at))
  const last = await transactions()
  const rows = await database.db.execute<{ n: string }>(sql`select distinct xmin::text as n from output_files where agent_id = ${box.agentId} and path like 'together/%'`)
  expect([...rows].map(({ n }) => Number(n))).toEqual([last])
  expect(await content('together/7')).toBe('file 7')
})

test('a change that the database will not take spoils none in its pack', async () => {
  const { db } = app.portal.context.database
  await db.execute(sql`alter table output_files add constraint no_poison check (path <> 'poison')`)
  const { outcomes } = await box.pack([
    ['well/1', '1'],
    ['poison', 'p'],
    ['well/2', '2'],
  ])
  expect(outcomes.map(({ status }) => status)).toEqual([201, 500, 201])
  await db.execute(sql`alter table output_files drop constraint no_poison`)
  await app.portal.context.outputs.sweepUnknown(Date.now() + 3_600_000)
})

const HASH = sha256Hex('x')
test.each([
  ['no list', {}, ''],
  ['nothing', [], ''],
  ['no JSON', '[["a"', ''],
  ['a null', [null], ''],
  ['a number for a path', [[1]], ''],
  ['half an entry', [['a', HASH]], ''],
  ['one word too many', [['a', HASH, 1, 'agent 7']], 'x'],
  ['no hash', [['a', 'X'.repeat(64), 1]], 'x'],
  ['a negative size', [['a', HASH, -1]], ''],
  ['a size that is no number', [['a', HASH, '1']], 'x'],
  ['a broken size', [['a', HASH, 0.5]], 'x'],
  ['a path twice', [entry('a', 'x'), ['a']], 'x'],
  ['too many changes', Array.from({ length: PACK_CHANGES + 1 }, (_, at) => [`${at}`]), ''],
])('a pack with %s is refused whole', async (_what, line, bytes) => {
  const before = await names()
  expect(await box.packOf(line, bytes)).toMatchObject({ status: 422, body: { error: { code: 'invalid_pack' } } })
  expect(await names()).toEqual(before)
})

test.each([
  ['fewer', [entry('short', 'xx')], 'x'],
  ['more', [entry('long', 'x')], 'xx'],
  ['far fewer', [['vast', HASH, Number.MAX_SAFE_INTEGER], entry('beside', 'x')], 'x'],
])('a pack with %s bytes than it says is refused whole', async (_what, line, bytes) => {
  const before = await names()
  expect(await box.packOf(line, bytes)).toMatchObject({ status: 400, body: { error: { code: 'length_mismatch' } } })
  expect(await names()).toEqual(before)
})

test('a pack of unknown or too great length is refused before it is read, and one that ends early changes nothing', async () => {
  const before = await names()
  const line = `${JSON.stringify([entry('cut', 'x'.repeat(100))])}\n`
  const chunked = await box.bareTo(INTERNAL_PATHS.pack, ['Transfer-Encoding: chunked'], (write) => write('1\r\nx\r\n0\r\n\r\n'))
  expect(chunked).toMatch(/^HTTP\/1\.1 400 [\s\S]*length_required/)
  expect(await box.bareTo(INTERNAL_PATHS.pack, [`Content-Length: ${PACK_BYTES + 1}`], () => {})).toMatch(/^HTTP\/1\.1 413 [\s\S]*pack_too_large/)
  await box.bareTo(INTERNAL_PATHS.pack, [`Content-Length: ${line.length + 100}`], (write, end) => {
    write(line + 'x'.repeat(50))
    setTimeout(end, 100)
  })
  expect(await names()).toEqual(before)
})

test('who adds an identity to a pack is refused, and another agent’s paths are never meant', async () => {
  expect(await box.packOf([entry('x', 'x')], 'x', { query: '?agent_id=1' })).toMatchObject({ status: 422, body: { error: { code: 'unknown_field' } } })
  const dora = await app.as('dora')
  const other = await Sandbox.of(app, dora)
  await box.pack([['mine', 'mine']])
  expect((await other.pack([['mine']])).outcomes).toMatchObject([{ status: 200, duplicate: true }])
  expect(await content('mine')).toBe('mine')
})

test('whose sender is gone before the commit, nothing of the pack is changed any more', async () => {
  await box.pack([
    ['kept', 'newer'],
    ['stays', 'x'],
  ])
  const { db } = app.portal.context.database
  const abort = new AbortController()
  await db.transaction(async (tx) => {
    await tx.execute(sql`select 1 from output_counters where agent_id = ${box.agentId} for update`)
    const sent = box.pack([['kept', 'older'], ['stays']], { signal: abort.signal }).catch(() => 'gone')
    await until(async () => [...(await db.execute(sql`select 1 from pg_locks where not granted`))].length > 0, { what: 'a waiting commit' })
    const open = box.connections
    abort.abort()
    expect(await sent).toBe('gone')
    await until(() => box.connections < open, { what: 'a server that knows that the sender is gone' })
  })
  await box.pack([['behind', 'x']])
  expect([await content('kept'), await content('stays')]).toEqual(['newer', 'x'])
})
