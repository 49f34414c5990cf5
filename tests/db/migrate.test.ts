import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { connect } from '../../src/db/client.ts'
import { knownMigrations, migrateDown, migrateStatus, migrateUp } from '../../src/db/migrate.ts'
import { silentLogger as logger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { emptyDatabase } from '../support/database.ts'
import { random } from '../support/random.ts'

setDefaultTimeout(60_000)

let root: string
let url: string
let folder: string
let made = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sac-test-migrate-'))
})

beforeEach(async () => {
  url = await emptyDatabase()
  folder = join(root, String(++made))
  cpSync(join(import.meta.dir, '..', '..', 'migrations'), folder, { recursive: true })
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

test('up, down and up again end with the same database', async () => {
  const all = knownMigrations().length
  expect(await migrateUp({ url, logger })).toBe(all)
  const first = await shape()
  expect(await migrateUp({ url, logger })).toBe(0)
  for (let left = all; left > 0; left--) expect(await migrateDown({ url, logger })).toBe(knownMigrations()[left - 1]?.version)
  expect(await migrateDown({ url, logger })).toBeUndefined()
  expect((await tables()).filter((name) => name !== 'schema_migrations')).toEqual([])
  await migrateUp({ url, logger })
  expect(await shape()).toEqual(first)
})

test('the status tells what is applied since when, and what is pending', async () => {
  expect((await migrateStatus({ url })).every(({ appliedAt }) => appliedAt === undefined)).toBe(true)
  await migrateUp({ url, logger })
  add('later', 'create table later (id int)')
  const status = await migrateStatus({ url, folder })
  expect(status.map(({ appliedAt }) => appliedAt instanceof Date)).toEqual([...knownMigrations().map(() => true), false])
})

test('four programs that start at once apply every migration exactly once', async () => {
  add('slow', 'create table slow (id int); select pg_sleep(0.2); insert into slow values (1)')
  const starters = Array.from({ length: 4 }, () => spawnMigrator())
  const counts = await Promise.all(starters.map(async (starter) => [await starter.exited, Number(await new Response(starter.stdout).text())]))
  expect(counts.map(([code]) => code)).toEqual([0, 0, 0, 0])
  expect(counts.reduce((sum, [, count]) => sum + (count ?? 0), 0)).toBe(knownMigrations(folder).length)
  expect(await query((sql) => sql`select count(*)::int as n from slow`)).toMatchObject([{ n: 1 }])
})

test('a migration that is killed half-way leaves nothing of itself, and the next start finishes the work', async () => {
  const next = random('migrations killed half-way')
  // Each begins with a step and ends with another: a half of it would show.
  const names = Array.from({ length: 10 }, (_, at) => `part${at}`)
  for (const name of names) add(name, `create table ${name}_begun (id int); select pg_sleep(0.04); create table ${name}_done (id int)`)
  let kills = 0
  for (let round = 0; round < 12; round++) {
    const migrator = spawnMigrator()
    const begun = await until(() => query((sql) => sql`select pid from pg_locks where locktype = 'advisory' and granted`).then(([row]) => row ?? migrator.exitCode !== null), {
      timeoutMs: 10_000,
    })
    if (begun === true) break
    const deadline = performance.now() + next() * 100
    await until(() => performance.now() > deadline, { intervalMs: 1 })
    migrator.kill('SIGKILL')
    await migrator.exited
    // The server notices the end of its client when it has finished the statement.
    await until(async () => (await query((sql) => sql`select pid from pg_locks where locktype = 'advisory'`)).length === 0, {
      timeoutMs: 10_000,
      what: 'the end of the killed session',
    })
    kills++
    const present = await tables()
    const recorded = present.includes('schema_migrations') ? await query((sql) => sql`select name from schema_migrations`) : []
    for (const name of names) {
      const whole = recorded.some((row) => row.name === name)
      expect([present.includes(`${name}_begun`), present.includes(`${name}_done`)]).toEqual([whole, whole])
    }
  }
  expect(kills).toBeGreaterThanOrEqual(3)
  await migrateUp({ url, folder, logger })
  expect((await tables()).filter((name) => name.endsWith('_done'))).toEqual(names.map((name) => `${name}_done`))
})

test('a migration that fails changes nothing and is named', async () => {
  add('bad', 'create table before_it (id int); select * from not_there')
  await expect(migrateUp({ url, folder, logger })).rejects.toThrow('(bad) failed and changed nothing: relation "not_there" does not exist')
  expect(await tables()).not.toContain('before_it')
})

test('an applied migration whose text has changed is refused', async () => {
  await migrateUp({ url, folder, logger })
  appendFileSync(join(folder, '0001_ground.sql'), '\n-- changed')
  for (const verb of [migrateUp, migrateDown, migrateStatus]) await expect(verb({ url, folder, logger })).rejects.toThrow('was applied with another text')
})

test('a database that a newer program has written is refused, and nothing in it changes', async () => {
  add('newer', 'create table newer (id int)')
  await migrateUp({ url, folder, logger })
  const before = await shape()
  for (const verb of [migrateUp, migrateDown]) await expect(verb({ url, logger })).rejects.toThrow('newer SAC')
  expect(await shape()).toEqual(before)
})

test('files that contradict each other are refused', async () => {
  writeFileSync(join(folder, '0001_other.sql'), 'select 1')
  writeFileSync(join(folder, '0001_other.down.sql'), 'select 1')
  await expect(migrateUp({ url, folder, logger })).rejects.toThrow('Two migrations have the number 1')
  rmSync(join(folder, '0001_other.down.sql'))
  await expect(migrateUp({ url, folder, logger })).rejects.toThrow('has no way back')
})

test('a database that cannot be reached is a sentence with a next step', async () => {
  await expect(migrateUp({ url: 'postgres://nobody:x@127.0.0.1:1/none', logger })).rejects.toThrow('Check that it runs')
})

/** Adds a migration after the last one. */
function add(name: string, up: string): void {
  const version = String((knownMigrations(folder).at(-1)?.version ?? 0) + 1).padStart(4, '0')
  writeFileSync(join(folder, `${version}_${name}.sql`), up)
  writeFileSync(join(folder, `${version}_${name}.down.sql`), `drop table if exists ${name}`)
}

function spawnMigrator() {
  return Bun.spawn([process.execPath, join(import.meta.dir, 'migrator.ts'), url, folder], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
}

async function query<T extends readonly postgres.Row[]>(work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = connect(url, { max: 1, onnotice() {} })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function tables(): Promise<string[]> {
  return (await query((sql) => sql`select tablename from pg_tables where schemaname = 'public' order by 1`)).map(({ tablename }) => String(tablename))
}

/** Every column, constraint and index, as text. */
async function shape(): Promise<string[]> {
  const rows = await query(
    (sql) => sql`
      select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') as line from information_schema.columns where table_schema = 'public'
      union all select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
      union all select indexdef from pg_indexes where schemaname = 'public'
      order by 1`,
  )
  return rows.map(({ line }) => String(line))
}
