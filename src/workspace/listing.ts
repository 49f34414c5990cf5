// One level of an agent's output as folders and files, in pages.
import { type SQL, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import type { Db } from '../db/client.ts'
import { AppError } from '../lib/errors.ts'
import { pathProblem } from '../lib/paths.ts'

/** A folder (files below it are counted) or a file. */
export interface OutputEntry {
  name: string
  path: string
  isFolder: boolean
  size: number
  fileCount: number
  updatedAt: Date
  seq: number
}

export interface OutputPage {
  folder: string
  entries: OutputEntry[]
  /** Hand it back as `after` for the next page; undefined on the last. */
  next?: string
  /** Files below this folder, and their bytes. */
  totalFiles: number
  totalBytes: number
}

const PAGE = 1000

type Totals = { files: number; bytes: number }
type Row = { name: string; folder: boolean; size: number; files: number; updated: string; seq: number; total_files: number; total_bytes: number }

/** Folders first, then files, each by byte order of the name; at most `limit` entries after the cursor. */
export async function listOutput(db: Db, agent: Agent, folder: string, { after, limit = PAGE }: { after?: string; limit?: number } = {}): Promise<OutputPage> {
  const prefix = folder === '' ? '' : `${folder}/`
  const [afterKind, afterName] = parseCursor(after)
  const below = folder === '' ? sql`true` : sql`path >= ${prefix} and path < ${`${folder}0`}`
  const skip = [...prefix].length
  const files = sql`select substr(path, ${skip + 1}::int) as rest, size, updated_at, seq from output_files where agent_id = ${agent.id} and deleted_at is null and ${below}`
  // One pass over the files gives entries and totals.
  const rows = await db.execute<Row>(sql`
    select name, folder, size, files, updated::text as updated, seq, total_files, total_bytes from (
      select name, folder, sum(size)::float8 as size, count(*)::int as files, max(updated_at) as updated, max(seq)::float8 as seq,
        (sum(count(*)) over ())::int as total_files, (sum(sum(size)) over ())::float8 as total_bytes
      from (select split_part(rest, '/', 1) as name, position('/' in rest) > 0 as folder, size, updated_at, seq from (${files}) f) e group by name, folder) level
    where (case when folder then 0 else 1 end, name collate "C") > (${afterKind}::int, ${afterName} collate "C")
    order by folder desc, name collate "C" limit ${limit + 1}`)
  const entries = [...rows].slice(0, limit).map((row) => toEntry(row, prefix))
  const last = entries.at(-1)
  const [first] = rows
  const totals = first ? { files: first.total_files, bytes: first.total_bytes } : await totalsOf(db, files)
  return { folder, entries, next: rows.length > limit && last ? cursorOf(last) : undefined, totalFiles: totals.files, totalBytes: totals.bytes }
}

// Behind the last entry there is no row to tell them.
async function totalsOf(db: Db, files: SQL): Promise<Totals> {
  const [totals] = await db.execute<Totals>(sql`select count(*)::int as files, coalesce(sum(size), 0)::float8 as bytes from (${files}) f`)
  return totals ?? { files: 0, bytes: 0 }
}

function toEntry(row: Row, prefix: string): OutputEntry {
  return { name: row.name, path: prefix + row.name, isFolder: row.folder, size: row.size, fileCount: row.files, updatedAt: new Date(row.updated), seq: row.seq }
}

function cursorOf(entry: OutputEntry): string {
  return Buffer.from(JSON.stringify([entry.isFolder ? 0 : 1, entry.name])).toString('base64url')
}

function parseCursor(cursor: string | undefined): [number, string] {
  if (cursor === undefined || cursor === '') return [-1, '']
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(value) && (value[0] === 0 || value[0] === 1) && typeof value[1] === 'string' && pathProblem(value[1]) === undefined) return [value[0], value[1]]
  } catch {
    // @NOTE falls through to the refusal below.
  }
  throw new AppError('invalid', 'bad_cursor', 'This place in the list is not known. Load the list again.', { fields: { after: 'Not a cursor of this list.' } })
}
