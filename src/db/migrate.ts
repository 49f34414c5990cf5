// Migrations: SQL files up and down, one transaction each, checksums recorded, one starter at a time.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type postgres from 'postgres'
import { AppError, OperatorError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { connect } from './client.ts'
import { translate } from './failures.ts'

export interface Migration {
  version: number
  name: string
  up: string
  down: string
  /** SHA-256 of `up`. */
  checksum: string
}

export interface MigrationStatus {
  version: number
  name: string
  appliedAt?: Date
}

export interface MigrationTarget {
  url: string
  logger: Logger
  /** Folder of the SQL files; the program's own unless told. */
  folder?: string
}

/** A database or a set of files that this program must not touch; the message says why and what to do. */
export class MigrationError extends OperatorError {}

interface Applied {
  version: number
  name: string
  checksum: string
  applied_at: Date
}

const LOCK = 7_224_101
const FILE = /^(\d{4})_([a-z0-9_]+)\.sql$/

/** The migrations that this program knows, in order. Throws MigrationError when the files contradict each other. */
export function knownMigrations(folder: string = migrationFolder()): Migration[] {
  const known = readdirSync(folder)
    .filter((file) => FILE.test(file))
    .sort()
    .map((file) => readMigration(folder, file))
  const twice = known.find(({ version }, at) => known[at - 1]?.version === version)
  if (twice) throw new MigrationError(`Two migrations have the number ${twice.version}. Give the newer one the next free number.`)
  return known
}

function readMigration(folder: string, file: string): Migration {
  const [, version = '', name = ''] = FILE.exec(file) ?? []
  const back = join(folder, file.replace(/\.sql$/, '.down.sql'))
  if (!existsSync(back)) throw new MigrationError(`Migration ${file} has no way back: ${back} is missing.`)
  const up = readFileSync(join(folder, file), 'utf8')
  return { version: Number(version), name, up, down: readFileSync(back, 'utf8'), checksum: createHash('sha256').update(up).digest('hex') }
}

function migrationFolder(): string {
  // A compiled program carries the files; the path of its source means nothing on this machine.
  return Bun.embeddedFiles.length > 0 ? join(dirname(Bun.main), 'migrations') : join(import.meta.dir, '..', '..', 'migrations')
}

/** Applies what is pending and returns how many. Parallel starters wait for each other. Throws MigrationError. */
export async function migrateUp({ url, logger, folder }: MigrationTarget): Promise<number> {
  const known = knownMigrations(folder)
  return alone(url, async (sql) => {
    const applied = await appliedMigrations(sql, known)
    const pending = known.filter(({ version }) => !applied.some((row) => row.version === version))
    for (const { version, name, up, checksum } of pending) {
      await step(sql, { version, name, sql: up }, (tx) => tx`insert into schema_migrations (version, name, checksum) values (${version}, ${name}, ${checksum})`)
      logger.info('migration applied', { version, name })
    }
    return pending.length
  })
}

/** Takes the newest migration back. Returns its version, or undefined when there is none. Throws MigrationError. */
export async function migrateDown({ url, logger, folder }: MigrationTarget): Promise<number | undefined> {
  const known = knownMigrations(folder)
  return alone(url, async (sql) => {
    const newest = (await appliedMigrations(sql, known)).at(-1)?.version
    const migration = known.find(({ version }) => version === newest)
    if (!migration) return undefined
    const { version, name, down } = migration
    await step(sql, { version, name, sql: down }, (tx) => tx`delete from schema_migrations where version = ${version}`)
    logger.info('migration taken back', { version, name })
    return version
  })
}

/** Every known migration and when it was applied. Throws MigrationError. */
export async function migrateStatus({ url, folder }: Omit<MigrationTarget, 'logger'>): Promise<MigrationStatus[]> {
  const known = knownMigrations(folder)
  return alone(url, async (sql) => {
    const applied = await appliedMigrations(sql, known)
    return known.map(({ version, name }) => ({ version, name, appliedAt: applied.find((row) => row.version === version)?.applied_at }))
  })
}

async function step(
  sql: postgres.Sql,
  migration: { version: number; name: string; sql: string },
  record: (tx: postgres.TransactionSql) => postgres.PendingQuery<postgres.Row[]>,
): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(migration.sql).simple()
      await record(tx)
    })
  } catch (cause) {
    if (translate(cause) instanceof AppError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MigrationError(`Migration ${migration.version} (${migration.name}) failed and changed nothing: ${reason}`, { cause })
  }
}

async function alone<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  // One connection: the lock belongs to the session that runs the migrations and dies with it.
  const sql = connect(url, { max: 1, idle_timeout: 0, max_lifetime: null, connect_timeout: 10, onnotice() {} })
  try {
    await sql`select pg_advisory_lock(${LOCK})`
    await sql`create table if not exists schema_migrations (version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`
    return await work(sql)
  } catch (error) {
    if (!(translate(error) instanceof AppError)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new MigrationError(`The database did not serve the migrations: ${reason}. Check that it runs, that DATABASE_URL or DB_* name it, and that its disk has room.`, {
      cause: error,
    })
  } finally {
    await sql.end({ timeout: 2 })
  }
}

async function appliedMigrations(sql: postgres.Sql, known: Migration[]): Promise<Applied[]> {
  const applied = await sql<Applied[]>`select version, name, checksum, applied_at from schema_migrations order by version`
  for (const row of applied) {
    const migration = known.find(({ version }) => version === row.version)
    if (!migration)
      throw new MigrationError(
        `The database has migration ${row.version} (${row.name}), which this program does not know. It was written by a newer SAC: start that version, or restore a backup.`,
      )
    if (migration.checksum !== row.checksum)
      throw new MigrationError(
        `Migration ${row.version} (${row.name}) was applied with another text than this program has. Use the program that made this database, or restore a backup.`,
      )
  }
  return applied
}
