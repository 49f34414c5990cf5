// Migrations: SQL files up and down, one transaction each, checksums recorded, one starter at a time.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type postgres from 'postgres'
import type { Logger } from '../lib/logger.ts'
import { connect } from './client.ts'

export interface Migration {
  version: number
  name: string
  up: string
  down: string
  checksum: string
}

export interface MigrationStatus {
  version: number
  name: string
  appliedAt?: Date
}

/** A database that this program must not touch; the message says why and what to do. */
export class MigrationError extends Error {}

interface Applied {
  version: number
  name: string
  checksum: string
  applied_at: Date
}

const LOCK = 7_224_101

/** The migrations that this program knows, in order. */
export function knownMigrations(folder: string = migrationFolder()): Migration[] {
  const names = readdirSync(folder).filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
  return names.sort().map((file) => {
    const up = readFileSync(join(folder, file), 'utf8')
    const down = readFileSync(join(folder, file.replace(/\.sql$/, '.down.sql')), 'utf8')
    return { version: Number(file.slice(0, 4)), name: file.slice(5, -4), up, down, checksum: createHash('sha256').update(up).digest('hex') }
  })
}

function migrationFolder(): string {
  const source = join(import.meta.dir, '..', '..', 'migrations')
  return existsSync(source) ? source : join(dirname(Bun.main), 'migrations')
}

/** Applies what is pending. Parallel starters wait for each other. Throws MigrationError. */
export async function migrateUp({ url, logger, folder }: { url: string; logger: Logger; folder?: string }): Promise<number> {
  const known = knownMigrations(folder)
  return locked(url, async (sql) => {
    const applied = await appliedMigrations(sql)
    refuseStrange(known, applied)
    const pending = known.filter(({ version }) => !applied.some((row) => row.version === version))
    for (const migration of pending) {
      await sql.begin(async (tx) => {
        await tx.unsafe(migration.up).simple()
        await tx`insert into schema_migrations (version, name, checksum) values (${migration.version}, ${migration.name}, ${migration.checksum})`
      })
      logger.info('migration applied', { version: migration.version, name: migration.name })
    }
    return pending.length
  })
}

/** Takes the newest migration back. Returns its version, or undefined when there is none. */
export async function migrateDown({ url, logger, folder }: { url: string; logger: Logger; folder?: string }): Promise<number | undefined> {
  const known = knownMigrations(folder)
  return locked(url, async (sql) => {
    const applied = await appliedMigrations(sql)
    refuseStrange(known, applied)
    const last = applied.at(-1)
    const migration = known.find(({ version }) => version === last?.version)
    if (!migration) return undefined
    await sql.begin(async (tx) => {
      await tx.unsafe(migration.down).simple()
      await tx`delete from schema_migrations where version = ${migration.version}`
    })
    logger.info('migration taken back', { version: migration.version, name: migration.name })
    return migration.version
  })
}

/** Every known migration and when it was applied. */
export async function migrateStatus({ url, folder }: { url: string; folder?: string }): Promise<MigrationStatus[]> {
  return locked(url, async (sql) => {
    const applied = await appliedMigrations(sql)
    return knownMigrations(folder).map(({ version, name }) => ({ version, name, appliedAt: applied.find((row) => row.version === version)?.applied_at }))
  })
}

async function locked<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  // One connection: the lock belongs to the session that runs the migrations and dies with it.
  const sql = connect(url, { max: 1, connect_timeout: 10, onnotice() {} })
  try {
    await sql`select pg_advisory_lock(${LOCK})`
    await sql`create table if not exists schema_migrations (version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`
    return await work(sql)
  } finally {
    await sql.end({ timeout: 2 })
  }
}

async function appliedMigrations(sql: postgres.Sql): Promise<Applied[]> {
  return sql<Applied[]>`select version, name, checksum, applied_at from schema_migrations order by version`
}

function refuseStrange(known: Migration[], applied: Applied[]): void {
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
}
