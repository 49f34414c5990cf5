// What the sidecar has seen and what the server has: one row per path in SQLite, written before anything is sent.
import { Database } from 'bun:sqlite'

/** Identity of a file's content as far as the file system tells: size:mtimeNs:ctimeNs:inode. */
export type Identity = string

export interface Work {
  path: string
  /** Null when the file is gone. */
  seen: Identity | null
  /** What the server has; '?' while a send is not answered; null when it has nothing. */
  synced: Identity | null
  tries: number
}

/** Crash-safe state of the mirror. Work is every row where `seen` differs from `synced`. */
export class Journal {
  private readonly db: Database
  private readonly upsert
  private readonly pending
  private readonly next

  constructor(path: string) {
    this.db = new Database(path, { create: true })
    this.db.run('pragma journal_mode = wal')
    this.db.run('pragma synchronous = normal')
    this.db.run('pragma cache_size = -1000')
    this.db.run(
      'create table if not exists files (path text primary key, seen text, synced text, tries integer not null default 0, due integer not null default 0, changed integer not null default 0) without rowid',
    )
    this.db.run('create index if not exists work on files (due) where seen is not synced')
    // Whoever sends next must send again what was not answered.
    this.upsert = this.db.prepare(
      'insert into files (path, seen, due, changed) values (?1, ?2, ?3, ?4) on conflict (path) do update set tries = 0, due = case when ?4 - files.changed < 10000 then max(?3, ?4 + min(5000, 2 * max(50, ?4 - files.changed))) else ?3 end, changed = ?4, seen = ?2 where files.seen is not ?2',
    )
    this.pending = this.db.prepare<Work, [number, number]>('select path, seen, synced, tries from files where seen is not synced and due <= ? order by due limit ?')
    this.next = this.db.prepare<{ due: number | null }, []>('select min(due) as due from files where seen is not synced')
  }

  /** Notes observations in one transaction. `quietMs` is the pause before a new change is sent; it grows for a file that keeps changing. */
  observe(observations: Iterable<[path: string, seen: Identity | null]>, quietMs: number): void {
    const now = Date.now()
    this.db.transaction(() => {
      for (const [path, seen] of observations) this.upsert.run(path, seen, now + quietMs, now)
    })()
  }

  /** Rows that are due, oldest first. */
  due(limit: number): Work[] {
    return this.pending.all(Date.now(), limit)
  }

  /** Milliseconds until the next row is due; undefined without work. */
  untilNext(): number | undefined {
    const due = this.next.get()?.due
    return due == null ? undefined : Math.max(0, due - Date.now())
  }

  /** Before a send: the answer may get lost, so the row counts as unknown until it arrives. */
  sending(paths: string[]): void {
    this.db.transaction(() => {
      for (const path of paths) this.db.run("update files set synced = '?' where path = ?", [path])
    })()
  }

  /** The server has exactly this now. */
  settled(path: string, sent: Identity | null): void {
    if (sent === null) this.db.run('delete from files where path = ? and seen is null', [path])
    this.db.run('update files set synced = ?, tries = 0 where path = ?', [sent, path])
  }

  /** Not now: try again after `waitMs`. */
  postpone(path: string, waitMs: number): void {
    this.db.run('update files set tries = tries + 1, due = ? where path = ?', [Date.now() + waitMs, path])
  }

  /** The server will not take this content: wait until it changes. */
  giveUp(path: string, seen: Identity | null): void {
    this.db.run('update files set synced = ? where path = ? and seen is ?', [seen, path, seen])
  }

  /** Known paths that are there, below a folder ('' for all). */
  known(folder: string): string[] {
    const rows =
      folder === ''
        ? this.db.query<{ path: string }, []>('select path from files where seen is not null').all()
        : this.db.query<{ path: string }, [string, string]>('select path from files where seen is not null and path >= ? and path < ?').all(`${folder}/`, `${folder}0`)
    return rows.map((row) => row.path)
  }

  [Symbol.dispose](): void {
    this.db.close()
  }
}
