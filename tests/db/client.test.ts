import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { type Database, openDatabase } from '../../src/db/client.ts'
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded.ts'
import { translate } from '../../src/db/failures.ts'
import { AppError } from '../../src/lib/errors.ts'
import { silentLogger as logger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { family, postmasterPid, signalAll } from '../support/processes.ts'

setDefaultTimeout(60_000)

const LIMITS = { poolSize: 4, poolWaitMs: 300, statementTimeoutMs: 500 }
/** What a caller may wait at most: a statement's time and half a second. */
const DEADLINE_MS = LIMITS.statementTimeoutMs + 500
const SLACK_MS = 700

let folder: string
let server: EmbeddedServer
let database: Database

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sac-test-client-'))
  chmodSync(folder, 0o711)
  server = await startEmbedded({ dataDir: folder, logger, durable: false })
  database = openDatabase({ url: server.url, ...LIMITS, logger })
  await database.db.execute(sql`create table marks (name text primary key)`)
})

afterAll(async () => {
  await database.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('three hundred queries at once share the pool, and all are answered', async () => {
  const answers = await Promise.all(Array.from({ length: 300 }, (_, at) => database.db.execute(sql`select ${at}::int as at`)))
  expect(answers.map(([row]) => row?.at)).toEqual(Array.from({ length: 300 }, (_, at) => at))
  expect(await connections()).toBeLessThanOrEqual(LIMITS.poolSize)
})

test('when every connection is taken, a query waits for the agreed time and is told that the portal is busy', async () => {
  const holding = occupy(0.45)
  const { error, ms } = await failure(database.db.execute(sql`select 1`))
  expect(error).toMatchObject({ kind: 'unavailable', code: 'database_busy', retryAfterS: 1 })
  expect(ms).toBeGreaterThanOrEqual(LIMITS.poolWaitMs - 20)
  expect(ms).toBeLessThan(LIMITS.poolWaitMs + SLACK_MS)
  await holding
})

test('a busy pool does not make the database look down', async () => {
  const holding = occupy(0.4)
  await database.ping(1000)
  await holding
})

test('a statement that takes too long is ended by the server, also inside a transaction', async () => {
  expect((await failure(database.db.execute(sql`select pg_sleep(5)`))).error).toMatchObject({ kind: 'unavailable', code: 'database_slow' })
  const inside = database.db.transaction(async (tx) => void (await tx.execute(sql`select pg_sleep(5)`)))
  expect((await failure(inside)).error).toMatchObject({ kind: 'unavailable', code: 'database_slow' })
})

test('a transaction that was answered as failed is never committed', async () => {
  const late = database.db.transaction(async (tx) => {
    await tx.execute(sql`insert into marks values ('late')`)
    for (let turn = 0; turn < 4; turn++) await tx.execute(sql`select pg_sleep(0.4)`)
  })
  const { error, ms } = await failure(late)
  expect(error).toMatchObject({ kind: 'unavailable', code: 'database_slow' })
  expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
  const others = sql`select 1 from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and datname = current_database()`
  await until(async () => (await database.db.execute(others)).length === 0, { what: 'the end of the transaction' })
  expect(await database.db.execute(sql`select * from marks where name = 'late'`)).toHaveLength(0)
})

test('a nested transaction that fails takes back its own part only', async () => {
  await database.db.transaction(async (tx) => {
    await tx.execute(sql`insert into marks values ('outer')`)
    await tx.transaction(async (inner) => void (await inner.execute(sql`insert into marks values ('outer')`))).catch(() => {})
    await tx.execute(sql`insert into marks values ('after')`)
  })
  expect((await database.db.execute<{ name: string }>(sql`select name from marks order by name`)).map(({ name }) => name)).toEqual(['after', 'outer'])
})

test('a broken constraint stays what it is: the caller decides what it means', async () => {
  const again = database.db.execute(sql`insert into marks values ('outer')`)
  expect((await failure(again)).error).toMatchObject({ cause: { code: '23505' } })
})

test('a frozen server is answered for within the deadline, for a long time, and used again when it thaws', async () => {
  await database.db.execute(sql`select 1`)
  const frozen = family(postmasterPid(folder))
  signalAll(frozen, 'SIGSTOP')
  try {
    const began = performance.now()
    // Longer than it takes to call the connections dead, so that fresh ones are tried as well.
    while (performance.now() - began < 3 * DEADLINE_MS) {
      const failures = await Promise.all(Array.from({ length: 8 }, () => failure(database.db.execute(sql`select 1`))))
      for (const { error, ms } of failures) {
        expect(error).toMatchObject({ kind: 'unavailable' })
        expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
      }
    }
    const { error, ms } = await failure(database.ping(400))
    expect(error).toMatchObject({ code: 'database_down' })
    expect(ms).toBeLessThan(400 + SLACK_MS)
  } finally {
    signalAll(frozen, 'SIGCONT')
  }
  await backWithin(5000)
  expect(await connections()).toBeLessThanOrEqual(LIMITS.poolSize)
})

test('a killed server is a clear failure, and a new one is in use within five seconds', async () => {
  await database.db.execute(sql`select 1`)
  const running = failure(occupy(0.4))
  process.kill(postmasterPid(folder), 'SIGKILL')
  signalAll(family(postmasterPid(folder)).slice(1), 'SIGKILL')
  const began = performance.now()
  expect((await running).error).toMatchObject({ kind: 'unavailable', code: 'database_down' })
  await backWithin(5000 - (performance.now() - began))
  // The converters that Drizzle needs are there on connections made later, too.
  const [row] = await database.db.execute(sql`select now() as at`)
  expect(typeof row?.at).toBe('string')
})

test('a server that was away for long is in use within a second of its return', async () => {
  await server.stop()
  const began = performance.now()
  while (performance.now() - began < 3000) {
    const { error, ms } = await failure(database.db.execute(sql`select 1`))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'database_down' })
    expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
  }
  server = await startEmbedded({ dataDir: folder, logger, durable: false })
  await backWithin(1000)
})

test.each([
  ['53100', 'disk_full'],
  ['57014', 'database_slow'],
  ['57P01', 'database_down'],
  ['53300', 'database_down'],
  ['08006', 'database_down'],
  ['ECONNREFUSED', 'database_down'],
  ['CONNECT_TIMEOUT', 'database_down'],
  ['40P01', 'database_busy'],
  ['40001', 'database_busy'],
])('a failure %s is told as %s', (code, told) => {
  const error = Object.assign(new Error('text of the driver'), { code })
  expect(translate(new Error('wrapped', { cause: error }))).toMatchObject({ code: told })
  expect(String((translate(error) as AppError).message)).not.toContain('text of the driver')
})

test.each(['23505', '23503', '42P01', ''])('a failure %p is not the database’s', (code) => {
  expect(translate(Object.assign(new Error('x'), { code }))).not.toBeInstanceOf(AppError)
})

/** Keeps every connection of the pool at work. */
function occupy(seconds: number): Promise<unknown> {
  return Promise.all(Array.from({ length: LIMITS.poolSize }, () => database.db.execute(sql`select pg_sleep(${seconds})`)))
}

async function failure(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const began = performance.now()
  try {
    await work
  } catch (error) {
    // Drizzle wraps what single queries throw; the HTTP edge looks inside in the same way.
    const inner = error instanceof Error && error.cause instanceof AppError ? error.cause : error
    return { error: inner, ms: performance.now() - began }
  }
  throw new Error('it was expected to fail')
}

async function backWithin(timeoutMs: number): Promise<void> {
  await until(
    () =>
      database.db.execute(sql`select 1`).then(
        () => true,
        () => false,
      ),
    { timeoutMs, what: 'an answer of the database' },
  )
}

async function connections(): Promise<number> {
  const [row] = await database.db.execute<{ n: number }>(sql`select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'sac'`)
  return row?.n ?? 0
}
