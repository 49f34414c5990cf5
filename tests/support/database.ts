// One real PostgreSQL per test process (or the one of TEST_DATABASE_URL); every caller gets a migrated database of its own.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { atEnd } from './teardown.ts'

const FOLDER = 'sac-test-db-'

/** A server with a migrated database to copy. */
interface Server {
  /** May create and drop databases. */
  adminUrl: string
  /** As the portal's own role. */
  portalUrl: string
  template: string
}

let starting: Promise<Server> | undefined
let made = 0

/** URL of a fresh, migrated database. It goes with the test process, or earlier by `dropTestDatabase`. */
export async function testDatabase(): Promise<string> {
  starting ??= start()
  const { adminUrl, portalUrl, template } = await starting
  const name = `test_${process.pid}_${++made}`
  const owner = new URL(portalUrl).username
  await administer(adminUrl, `create database ${name} template ${template} owner "${owner}"`)
  return named(portalUrl, name)
}

/** Removes a database of `testDatabase` with whatever is still connected to it. */
export async function dropTestDatabase(url: string): Promise<void> {
  const { adminUrl } = (await starting) ?? {}
  if (adminUrl) await administer(adminUrl, `drop database if exists ${new URL(url).pathname.slice(1)} with (force)`)
}

/** URL of an empty database, for tests of the migrations themselves. */
export async function emptyDatabase(): Promise<string> {
  starting ??= start()
  const { adminUrl, portalUrl } = await starting
  const name = `test_${process.pid}_${++made}`
  await administer(adminUrl, `create database ${name} owner "${new URL(portalUrl).username}"`)
  return named(portalUrl, name)
}

async function start(): Promise<Server> {
  const external = process.env.TEST_DATABASE_URL
  const server = external ? await prepareExternal(external) : await startOwn()
  await migrateUp({ url: named(server.portalUrl, server.template), logger: silentLogger })
  return server
}

async function startOwn(): Promise<Server> {
  removeLeftovers()
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER}${process.pid}-`))
  const server = await startEmbedded({ dataDir: folder, logger: silentLogger, durable: false })
  atEnd(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return { adminUrl: server.superuserUrl, portalUrl: server.url, template: 'sac' }
}

async function prepareExternal(url: string): Promise<Server> {
  const template = `sac_template_${process.pid}`
  await administer(url, `drop database if exists ${template}`)
  await administer(url, `create database ${template}`)
  return { adminUrl: url, portalUrl: url, template }
}

async function administer(url: string, statement: string): Promise<void> {
  const sql = connect(url, { max: 1, onnotice() {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

function named(url: string, database: string): string {
  const named = new URL(url)
  named.pathname = `/${database}`
  return named.href
}

// A server ends with the process that started it; the folder of a killed run is left for the next one.
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER))) {
    if (existsSync(`/proc/${/^\d+/.exec(name.slice(FOLDER.length))?.[0] ?? 0}`)) continue
    endAtOnce(join(tmpdir(), name))
    rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function endAtOnce(folder: string): void {
  const note = join(folder, 'postgres', 'data', 'postmaster.pid')
  const pid = existsSync(note) ? Number(readFileSync(note, 'utf8').split('\n')[0]) : 0
  try {
    if (pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)) process.kill(pid, 'SIGQUIT')
  } catch {
    // @NOTE it is gone, which is what we want.
  }
}
