// One level of an agent's output as folders and files, in pages.
import { sql } from 'drizzle-orm'
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

type Row = { name: string; folder: boolean; size: number; files: number; updated: string; seq: number }

/** Folders first, then files, each by byte order of the name; at most `limit` entries after the cursor. */
export async function listOutput(db: Db, agent: Agent, folder: string, { after, limit = PAGE }: { after?: string; limit?: number } = {}): Promise<OutputPage> {
  const prefix = folder === '' ? '' : `${folder}/`
  const [afterKind, afterName] = parseCursor(after)
  const below = folder === '' ? sql`true` : sql`path >= ${prefix} and path < ${`${folder}0`}`
  const skip = [...prefix].length
  const levels = sql`select substr(path, ${skip + 1}::int) as rest, size, updated_at, seq from output_files where agent_id = ${agent.id} and deleted_at is null and ${below}`
  const rows = await db.execute<Row>(sql`
    select name, folder, sum(size)::float8 as size, count(*)::int as files, max(updated_at)::text as updated, max(seq)::float8 as seq
    from (select split_part(rest, '/', 1) as name, position('/' in rest) > 0 as folder, size, updated_at, seq from (${levels}) l) e
    where (case when folder then 0 else 1 end, name collate "C") > (${afterKind}::int, ${afterName} collate "C")
    group by name, folder order by folder desc, name collate "C" limit ${limit + 1}`)
  const [totals] = await db.execute<{ files: number; bytes: number }>(sql`select count(*)::int as files, coalesce(sum(size), 0)::float8 as bytes from (${levels}) l`)
  const entries = [...rows].slice(0, limit).map((row) => toEntry(row, prefix))
  const last = entries.at(-1)
  return { folder, entries, next: rows.length > limit && last ? cursorOf(last) : undefined, totalFiles: totals?.files ?? 0, totalBytes: totals?.bytes ?? 0 }
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
