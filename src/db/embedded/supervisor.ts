// Keeps the embedded server running while we run: starts it, starts it again, or leaves that to whoever already does.

import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import { pause } from '../../lib/pause.ts'
import { until } from '../../lib/until.ts'
import { connect } from '../client.ts'
import { CLEAN_ENVIRONMENT } from './cluster.ts'
import { type Place, SUPERUSER, urlOf } from './place.ts'
import { endServer, ownerMark, runningServer } from './processes.ts'

export interface SupervisorOptions {
  place: Place
  /** Settings of PostgreSQL, as in postgresql.conf. */
  settings: Record<string, string>
  logger: Logger
}

// Long enough for the recovery after a crash; a server that refuses to start is given up much earlier.
const READY_MS = 5 * 60_000
const GIVE_UP_AFTER = 6
const STOP_MS = 15_000
const STEADY_MS = 10_000
const WATCH_MS = 250
const MAX_LOG_BYTES = 4 * 1024 * 1024

class WrongPassword extends Error {
  constructor({ root }: Place) {
    super(
      `The embedded database in ${root} does not accept the password in ${root}.secret. Put the file that belongs to it back, or move both away to start with an empty database.`,
    )
  }
}

/** Owner of the server process; see `startEmbedded`. */
export class Supervisor {
  private server?: Bun.Subprocess
  private readonly stopping = new AbortController()
  private running?: Promise<void>
  private failures = 0

  constructor(private readonly options: SupervisorOptions) {}

  /** Resolves when the server answers. Throws Error with the server's own last words and a next step. */
  async start(): Promise<void> {
    const { place } = this.options
    this.running = this.supervise()
    try {
      await until(() => this.answers(), { timeoutMs: READY_MS, intervalMs: 15, what: 'an answer of the embedded database' })
    } catch (cause) {
      await this.stop()
      if (cause instanceof WrongPassword) throw cause
      const words = lastWords(place.logFile)
      throw new OperatorError(`The embedded database did not start: ${words}. Its log is ${place.logFile}. Mend that, or set DATABASE_URL to a server of your own.`, { cause })
    }
  }

  /** Ends the server, unless it belongs to another process. */
  async stop(): Promise<void> {
    this.stopping.abort()
    const { server } = this
    if (server) {
      server.kill('SIGINT')
      const late = setTimeout(() => server.kill('SIGQUIT'), STOP_MS)
      await server.exited
      clearTimeout(late)
    }
    await this.running
  }

  private async supervise(): Promise<void> {
    const { place, logger } = this.options
    while (!this.stopping.signal.aborted) {
      const began = performance.now()
      const outcome = await this.oneLife().catch((error: unknown) => error)
      if (this.stopping.signal.aborted) return
      this.failures = performance.now() - began > STEADY_MS ? 0 : this.failures + 1
      const waitMs = this.failures === 0 ? 0 : Math.min(5000, 50 * 2 ** this.failures)
      logger.error('the embedded database ended and starts again', { outcome, waitMs, log: lastWords(place.logFile) })
      await pause(waitMs, this.stopping.signal)
    }
  }

  /** From a start, or the sight of a server that another process looks after, to its end. */
  private async oneLife(): Promise<unknown> {
    const { data } = this.options.place
    const other = runningServer(data)
    if (other?.owned) {
      while (!this.stopping.signal.aborted && runningServer(data)?.pid === other.pid) await pause(WATCH_MS, this.stopping.signal)
      return 'the process that looked after it ended it'
    }
    if (other) await endServer(other)
    if (this.stopping.signal.aborted) return undefined
    this.server = this.spawn()
    await this.server.exited
    return this.server.signalCode ?? this.server.exitCode
  }

  private spawn(): Bun.Subprocess {
    const { place, settings } = this.options
    const words = Object.entries({ ...settings, unix_socket_directories: place.socketFolder }).map(([name, value]) => `${name}=${value}`)
    const command = [...place.launcher, join(place.bin, 'postgres'), '-D', place.data, ...[...words, ownerMark()].flatMap((word) => ['-c', word])]
    if (existsSync(place.logFile) && statSync(place.logFile).size > MAX_LOG_BYTES) renameSync(place.logFile, `${place.logFile}.1`)
    const log = openSync(place.logFile, 'a', 0o600)
    try {
      // Detached: Ctrl-C in a terminal must reach us alone, or the server ends before the requests that need it.
      return Bun.spawn(command, { cwd: '/', env: CLEAN_ENVIRONMENT, stdin: 'ignore', stdout: log, stderr: log, detached: true })
    } finally {
      closeSync(log)
    }
  }

  private async answers(): Promise<boolean> {
    if (this.failures >= GIVE_UP_AFTER) throw new Error('it ended again and again')
    const sql = connect(urlOf(this.options.place, SUPERUSER, 'postgres'), { max: 1, connect_timeout: 2, onnotice() {} })
    try {
      await sql`select 1`
      return true
    } catch (error) {
      if ((error as { code?: string }).code === '28P01') throw new WrongPassword(this.options.place)
      // @NOTE not yet: the caller asks again until its deadline.
      return false
    } finally {
      await sql.end({ timeout: 1 })
    }
  }
}

/** The end of the log, from its last fatal line on. */
function lastWords(path: string): string {
  if (!existsSync(path)) return 'it left no word'
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(4096)
    const { size } = statSync(path)
    const read = readSync(file, bytes, 0, bytes.length, Math.max(0, size - bytes.length))
    const lines = bytes.subarray(0, read).toString('utf8').trim().split('\n')
    const from = lines.findLastIndex((line) => /FATAL|PANIC/.test(line))
    return (
      lines
        .slice(from < 0 ? -1 : from)
        .join(' ')
        .trim() || 'it left no word'
    )
  } finally {
    closeSync(file)
  }
}
