// The PostgreSQL that comes with the product: one server in DATA_DIR, on a Unix socket, supervised.
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../lib/logger.ts'
import { until } from '../lib/until.ts'
import { binaries, serverIdentity } from './binaries.ts'
import { connect } from './client.ts'

export interface EmbeddedServer {
  /** For `connect`; holds the password. */
  url: string
  stop(): Promise<void>
}

const READY_MS = 30_000
const STOP_MS = 15_000
const MAX_SOCKET_FOLDER = 80

const SETTINGS = {
  listen_addresses: '',
  max_connections: '60',
  shared_buffers: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  // Commits of a storm of small files share one flush; each still waits for its own.
  commit_delay: '200',
  io_method: 'sync',
  log_min_messages: 'warning',
}

/** Starts the server, or takes over one that still runs on this folder. Throws Error with a next step. */
export async function startEmbedded({ dataDir, logger }: { dataDir: string; logger: Logger }): Promise<EmbeddedServer> {
  const place = prepare(dataDir)
  if (!existsSync(join(place.data, 'PG_VERSION'))) await initialise(place)
  const supervisor = new Supervisor(place, logger)
  await supervisor.start()
  try {
    await createDatabase(place)
  } catch (error) {
    await supervisor.stop()
    throw error
  }
  return { url: urlOf(place, 'sac'), stop: () => supervisor.stop() }
}

interface Place {
  data: string
  socketFolder: string
  password: string
  logFile: string
  bin: string
  /** Words before a server program: drops root and asks the kernel to end it with us. */
  launcher: string[]
}

function prepare(dataDir: string): Place {
  const root = join(dataDir, 'postgres')
  const identity = serverIdentity()
  const near = join(root, 'run')
  // A Unix socket's path has 108 bytes at most.
  const socketFolder = near.length <= MAX_SOCKET_FOLDER ? near : join(tmpdir(), `sac-pg-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  for (const folder of [root, socketFolder, join(root, 'data')]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    if (identity) chownSync(folder, identity.uid, identity.gid)
  }
  return {
    data: join(root, 'data'),
    socketFolder,
    password: keptPassword(join(dataDir, 'postgres.secret')),
    logFile: join(root, 'server.log'),
    bin: binaries(),
    launcher: launcher(identity),
  }
}

function keptPassword(path: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  const password = randomBytes(24).toString('hex')
  writeFileSync(path, password, { mode: 0o600 })
  return password
}

function launcher(identity: ReturnType<typeof serverIdentity>): string[] {
  const setpriv = Bun.which('setpriv')
  if (!setpriv) {
    if (identity) throw new Error('The embedded PostgreSQL does not run as root and needs `setpriv` (package util-linux) to become another user. Install it, or set DATABASE_URL.')
    return []
  }
  // Being allowed to search closed folders lets it reach a DATA_DIR below root's home; it owns nothing else there.
  const drop = identity ? [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups', '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'] : []
  return [setpriv, ...drop, '--pdeathsig=INT']
}

async function initialise(place: Place): Promise<void> {
  rmSync(place.data, { recursive: true, force: true })
  const identity = serverIdentity()
  const secretFile = join(place.socketFolder, 'initial-password')
  writeFileSync(secretFile, place.password, { mode: 0o600 })
  if (identity) chownSync(secretFile, identity.uid, identity.gid)
  // Built beside its final place and renamed, so that a killed first start leaves nothing half-made.
  const fresh = join(place.socketFolder, 'new-data')
  rmSync(fresh, { recursive: true, force: true })
  const command = [
    ...place.launcher,
    join(place.bin, 'initdb'),
    '-D',
    fresh,
    '-U',
    'sac',
    '--auth=scram-sha-256',
    `--pwfile=${secretFile}`,
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ]
  const process = Bun.spawn(command, { cwd: '/', env: environment(), stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(process.stdout).text(), new Response(process.stderr).text(), process.exited])
  rmSync(secretFile, { force: true })
  if (code !== 0)
    throw new Error(`The embedded database could not be created: ${lastLine(err || out)}. Check the free space and the permissions of ${place.data}, or set DATABASE_URL.`)
  renameSync(fresh, place.data)
}

/** Runs the server and starts it again when it ends by itself. */
class Supervisor {
  private server?: Bun.Subprocess
  private stopping = false
  private starts = 0

  constructor(
    private readonly place: Place,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    // A server that outlived its owner is ended first: two owners of one folder would end each other.
    await endLeftover(this.place)
    this.spawn()
    await until(() => this.answers(), { timeoutMs: READY_MS, intervalMs: 15, what: 'an answer of the embedded database' }).catch(async () => {
      await this.stop()
      throw new Error(`The embedded database did not start: ${lastLine(tail(this.place.logFile))}. The log is ${this.place.logFile}; or set DATABASE_URL.`)
    })
  }

  async stop(): Promise<void> {
    this.stopping = true
    const { server } = this
    if (!server || server.exitCode !== null) return
    server.kill('SIGINT')
    const late = setTimeout(() => server.kill('SIGQUIT'), STOP_MS)
    await server.exited
    clearTimeout(late)
  }

  private spawn(): void {
    const { place } = this
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: place.socketFolder }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const log = openSync(place.logFile, 'a', 0o600)
    this.starts++
    const startedAt = performance.now()
    this.server = Bun.spawn([...place.launcher, join(place.bin, 'postgres'), '-D', place.data, ...settings], {
      cwd: '/',
      env: environment(),
      stdin: 'ignore',
      stdout: log,
      stderr: log,
      detached: true,
    })
    closeSync(log)
    void this.server.exited.then((code) => {
      if (this.stopping) return
      const wait = performance.now() - startedAt > 10_000 ? 0 : Math.min(5000, 100 * 2 ** this.starts)
      this.logger.error('the embedded database ended and starts again', { code, waitMs: wait, log: lastLine(tail(place.logFile)) })
      setTimeout(() => !this.stopping && this.spawn(), wait)
    })
  }

  private async answers(): Promise<boolean> {
    if (this.server?.exitCode != null && this.starts > 3) throw new Error('ended again and again')
    return answers(urlOf(this.place, 'postgres'))
  }
}

async function answers(url: string): Promise<boolean> {
  const sql = connect(url, { max: 1, connect_timeout: 2, onnotice() {} })
  try {
    await sql`select 1`
    return true
  } catch {
    // @NOTE not yet: the caller asks again until its deadline.
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function endLeftover({ data }: Place): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0
  // The recorded number may belong to a stranger by now: only a server that names this folder is ours.
  const ours = () => pid > 0 && commandOf(pid).includes(data)
  if (!ours()) return
  process.kill(pid, 'SIGINT')
  await until(() => !ours(), { timeoutMs: STOP_MS, what: 'the end of the earlier database server' }).catch(() => ours() && process.kill(pid, 'SIGQUIT'))
  await until(() => !ours(), { timeoutMs: STOP_MS, what: 'the end of the earlier database server' })
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

async function createDatabase(place: Place): Promise<void> {
  const sql = connect(urlOf(place, 'postgres'), { max: 1, onnotice() {} })
  try {
    const [present] = await sql`select 1 from pg_database where datname = 'sac'`
    if (!present) await sql`create database sac`
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function urlOf({ password, socketFolder }: Place, database: string): string {
  return `postgres://sac:${password}@localhost/${database}?socket=${encodeURIComponent(socketFolder)}`
}

function environment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' }
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-2000) : ''
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'no reason given'
}
