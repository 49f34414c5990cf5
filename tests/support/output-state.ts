// Whether rows, objects, counters and temporary files of the output tell one story.
import { expect } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Db } from '../../src/db/client.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import type { TestApp } from './app.ts'

interface Row {
  agent: number
  path: string
  size: number
  sha256: string
  key: string
  seq: number
  deleted: boolean
}

type Counters = { agent: number; seq: number; bytes: number; files: number }

/** What does not fit, as sentences; empty when all is well. Objects on their way out count as wrong: wait until it is empty. */
export async function inconsistencies(db: Db, storage: string): Promise<string[]> {
  const rows = [
    ...(await db.execute<Row & Record<string, unknown>>(sql`select agent_id::int as agent, path, size::float8 as size, sha256, storage_key as key, seq::float8 as seq,
      deleted_at is not null as deleted from output_files order by agent_id, path`)),
  ]
  const counters = [
    ...(await db.execute<Counters & Record<string, unknown>>(
      sql`select agent_id::int as agent, last_seq::float8 as seq, used_bytes::float8 as bytes, file_count as files from output_counters`,
    )),
  ]
  const [{ total: orphans = 0 } = {}] = await db.execute<{ total: number }>(sql`select count(*)::int as total from orphaned_objects`)
  const live = rows.filter((row) => !row.deleted)
  const objects = objectsIn(storage)
  return [
    ...live.flatMap((row) => objectProblem(row, objects)),
    ...[...objects.keys()].filter((key) => !live.some((row) => row.key === key)).map((key) => `the object ${key} belongs to no row`),
    ...counters.flatMap((counter) =>
      counterProblem(
        counter,
        rows.filter((row) => row.agent === counter.agent),
      ),
    ),
    ...pathProblems(live),
    ...filesIn(join(storage, 'tmp')).map((name) => `the temporary file ${name} was left`),
    ...(orphans > 0 ? [`${orphans} orphaned objects are still noted`] : []),
  ]
}

/** Waits until nothing half-done is left of what tests sent; fails with what is wrong. */
export async function oneStory({ portal, dataDir }: TestApp): Promise<void> {
  let wrong: string[] = []
  const isRight = async () => {
    wrong = await inconsistencies(portal.context.database.db, join(dataDir, 'storage'))
    return wrong.length === 0
  }
  await until(isRight, { what: 'one story of rows, objects and counters' }).catch(() => expect(wrong).toEqual([]))
}

function objectProblem(row: Row, objects: Map<string, string>): string[] {
  const file = objects.get(row.key)
  if (!file) return [`${row.path} has no object`]
  const bytes = readFileSync(file)
  return bytes.byteLength === row.size && sha256Hex(bytes) === row.sha256 ? [] : [`the object of ${row.path} is not what its row says`]
}

function counterProblem({ agent, seq, bytes, files }: Counters, rows: Row[]): string[] {
  const live = rows.filter((row) => !row.deleted)
  const truth = [Math.max(0, ...rows.map((row) => row.seq)), live.reduce((sum, row) => sum + row.size, 0), live.length]
  const told = [seq, bytes, files]
  const doubled = rows.length - new Set(rows.map((row) => row.seq)).size
  return [
    ...(told.join() === truth.join() ? [] : [`the counters of agent ${agent} say ${told}, its rows ${truth}`]),
    ...(doubled === 0 ? [] : [`${doubled} sequence numbers of agent ${agent} were given twice`]),
  ]
}

// A file cannot lie in a file.
function pathProblems(live: Row[]): string[] {
  const taken = new Set(live.map((row) => `${row.agent}/${row.path}`))
  return live
    .filter((row) => row.path.split('/').some((_part, at, parts) => at > 0 && taken.has(`${row.agent}/${parts.slice(0, at).join('/')}`)))
    .map((row) => `${row.path} lies in a file`)
}

function objectsIn(storage: string): Map<string, string> {
  const folders = filesIn(join(storage, 'objects'))
  return new Map(folders.flatMap((folder) => filesIn(join(storage, 'objects', folder)).map((name) => [decodeURIComponent(name), join(storage, 'objects', folder, name)])))
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
