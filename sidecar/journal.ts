// What is on the disk and what the server has: one row per path in SQLite, written before anything is sent.
import { Database, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { renameSync, rmSync } from 'node:fs'
import { type Change, quietUntil } from './quiet.ts'

/** Identity of a file's content as far as the file system tells: size:mtimeMs:ctimeMs:inode. */
export type Identity = string

/** One look at a path; null when there is no file to send. */
export type Observation = [path: string, seen: Identity | null]

/** A path whose server copy is not what was seen. */
export interface Work {
  path: string
  /** Null when the file is gone. */
  seen: Identity | null
  /** How often it was tried in vain since it last changed. */
  tries: number
  /** When the change that waits was first seen, in the journal's milliseconds. */
  waitingSince: number
}

/** Files above this many bytes count as large. */
export const LARGE_BYTES = 64 * 1024

const VERSION = 2
const CREATE = [
  `create table files (
    path text primary key, seen text, synced text,
    large integer not null default 0, tries integer not null default 0, flying integer not null default 0, refused integer not null default 0,
    due real not null default 0, changed real not null default 0, streak real not null default 0, waiting real not null default 0
  ) without rowid`,
  // Flying rows are being sent, refused ones wait until they change.
  'create index work on files (large, due) where seen is not synced and flying = 0 and refused = 0',
  'create table facts (name text primary key, value text) without rowid',
]
const IS_WORK = 'seen is not synced and flying = 0 and refused = 0'
// A server copy of which nothing is known: sent but not answered, or of a file that changed while it was read.
const UNCERTAIN = '?'

interface Row extends Change {
  seen: Identity | null
  synced: Identity | null
}

/** Crash-safe state of the mirror. Throws on every operation when the disk is full; nothing is half-written then. */
export class Journal {
  private readonly db: Database
  private readonly prepared = new Map<string, Statement>()

  /** Opens or creates it. A file that is no journal is put aside, which costs only that everything is sent again. */
  constructor(readonly path: string) {
    try {
      this.db = open(path)
    } catch (error) {
      if (!/^SQLITE_(NOTADB|CORRUPT)/.test((error as { code?: string }).code ?? '')) throw error
      renameSync(path, `${path}.broken`)
      for (const rest of ['-wal', '-shm']) rmSync(path + rest, { force: true })
      this.db = open(path)
    }
    // Times count from the start of this process, so that a changed clock moves nothing.
    this.db.run('update files set due = 0, tries = 0, flying = 0, refused = 0, changed = -1e9, streak = -1e9, waiting = 0')
  }

  /** Milliseconds on a clock that never jumps. */
  now(): number {
    return performance.now()
  }

  /** Notes observations in one transaction; `at` is when the first hint of them came. Returns how many changed something. */
  observe(observations: Iterable<Observation>, at: number): number {
    let changes = 0
    this.db.transaction(() => {
      for (const [path, seen] of observations) if (this.note(path, seen, at)) changes++
    })()
    return changes
  }

  /** Rows whose time has come, oldest first: at most `small` small files and removals, and `large` large files. */
  due(small: number, large: number): Work[] {
    const now = this.now()
    return [small, large].flatMap((limit, size) =>
      limit <= 0
        ? []
        : this.all<Work>(`select path, seen, tries, waiting as waitingSince from files where ${IS_WORK} and large = ? and due <= ? order by due limit ?`, size, now, limit),
    )
  }

  /** Milliseconds until the next row of a size is due, 0 when one is; undefined without work of that size. */
  untilNext(size: 'small' | 'large'): number | undefined {
    const [row] = this.all<{ due: number | null }>(`select min(due) as due from files where ${IS_WORK} and large = ?`, size === 'large' ? 1 : 0)
    return row?.due == null ? undefined : Math.max(0, row.due - this.now())
  }

  /** Before a send: its answer may get lost, so the server's copy is unknown until the answer is here. */
  sending(paths: string[]): void {
    this.db.transaction(() => {
      for (const path of paths) this.run('update files set synced = ?, flying = 1 where path = ?', UNCERTAIN, path)
    })()
  }

  /** The server has exactly this now; 'unsure' when it has some state of a file that goes on changing. */
  settled(path: string, sent: Identity | null | 'unsure'): void {
    if (sent === null) this.run('delete from files where path = ? and seen is null', path)
    const synced = sent === 'unsure' ? UNCERTAIN : sent
    // What changed meanwhile begins to wait now; when it is due was decided when the change was seen.
    this.run('update files set synced = ?, tries = 0, flying = 0, waiting = ? where path = ?', synced, this.now(), path)
  }

  /** Not now: try again after `waitMs`, as a further try unless the wait is no failure. */
  postpone(path: string, waitMs: number, failure: boolean): void {
    this.run('update files set tries = tries + ?, flying = 0, due = max(due, ?) where path = ?', failure ? 1 : 0, this.now() + waitMs, path)
  }

  /** What was tried in vain and comes first is tried again within `waitMs`. */
  probe(waitMs: number): void {
    this.run(`update files set due = min(due, ?) where path = (select path from files where ${IS_WORK} and tries > 0 order by due limit 1)`, this.now() + waitMs)
  }

  /** Makes due what was tried in vain. */
  retryAll(): void {
    this.run(`update files set due = min(due, ?) where ${IS_WORK} and tries > 0`, this.now())
  }

  /** The server will not take this content: wait until it changes. */
  refused(path: string, seen: Identity | null): void {
    this.run('update files set flying = 0, refused = iif(seen is ?, 1, 0) where path = ?', seen, path)
  }

  /** What was last seen at a path: null when nothing, undefined when the path is unknown. */
  seen(path: string): Identity | null | undefined {
    return this.all<{ seen: Identity | null }>('select seen from files where path = ?', path)[0]?.seen
  }

  /** Known files below a folder ('' for all) behind `after`, in byte order. */
  below(folder: string, after: string, limit: number): { path: string; seen: Identity }[] {
    // "0" follows "/" directly, so the two enclose exactly what is below the folder.
    // In SQLite every text is less than every blob.
    const [from, to] = folder === '' ? [after, new Uint8Array()] : [after > `${folder}/` ? after : `${folder}/`, `${folder}0`]
    return this.all('select path, seen from files where path > ? and path < ? and seen is not null order by path limit ?', from, to, limit)
  }

  /** Whether anything is unsent or being sent. */
  get isBusy(): boolean {
    return this.all('select 1 from files where seen is not synced and refused = 0 limit 1').length > 0
  }

  /** Makes all work due at once. */
  hurry(): void {
    this.run(`update files set due = 0 where ${IS_WORK}`)
  }

  /** Forgets every file without removing any from the server. */
  forget(): void {
    this.run('delete from files')
  }

  /** A remembered fact by name; with a value it is written first. */
  fact(name: string, value?: string): string | undefined {
    if (value !== undefined) this.run('insert into facts values (?, ?) on conflict (name) do update set value = excluded.value', name, value)
    return this.all<{ value: string }>('select value from facts where name = ?', name)[0]?.value
  }

  [Symbol.dispose](): void {
    for (const statement of this.prepared.values()) statement.finalize()
    this.db.close()
  }

  private note(path: string, seen: Identity | null, at: number): boolean {
    const [row] = this.all<Row>('select seen, synced, changed, streak, waiting from files where path = ?', path)
    // What came and went between two looks is nobody's business.
    if (row ? row.seen === seen : seen === null) return false
    if (seen === null && row?.synced === null) return this.run('delete from files where path = ?', path)
    if (seen === null) return this.gone(path, at)
    const { due, streak, waiting } = quietUntil(row && { ...row, waiting: row.seen === row.synced ? undefined : row.waiting }, at)
    const large = Number(seen.slice(0, seen.indexOf(':'))) > LARGE_BYTES ? 1 : 0
    return this.run(
      `insert into files (path, seen, large, due, changed, streak, waiting) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
       on conflict (path) do update set seen = ?2, large = ?3, due = ?4, changed = ?5, streak = ?6, waiting = ?7, tries = 0, refused = 0`,
      ...[path, seen, large, due, at, streak, waiting],
    )
  }

  private gone(path: string, at: number): boolean {
    const { due } = quietUntil(undefined, at)
    return this.run('update files set seen = null, large = 0, due = ?1, changed = ?2, waiting = ?2, tries = 0, refused = 0 where path = ?3', due, at, path)
  }

  private run(sql: string, ...values: SQLQueryBindings[]): boolean {
    return this.statement(sql).run(...values).changes > 0
  }

  private all<T>(sql: string, ...values: SQLQueryBindings[]): T[] {
    return this.statement(sql).all(...values) as T[]
  }

  private statement(sql: string): Statement {
    const statement = this.prepared.get(sql) ?? this.db.prepare(sql)
    this.prepared.set(sql, statement)
    return statement
  }
}

function open(path: string): Database {
  const db = new Database(path, { create: true })
  try {
    for (const pragma of ['journal_mode = wal', 'synchronous = normal', 'cache_size = -1000', 'wal_autocheckpoint = 256', 'busy_timeout = 5000']) db.run(`pragma ${pragma}`)
    const version = db.query<{ user_version: number }, []>('pragma user_version').get()?.user_version
    if (version !== VERSION) {
      db.transaction(() => {
        for (const table of ['files', 'facts']) db.run(`drop table if exists ${table}`)
        for (const sql of CREATE) db.run(sql)
        db.run(`pragma user_version = ${VERSION}`)
      })()
    }
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
