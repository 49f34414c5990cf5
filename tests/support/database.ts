// One real PostgreSQL per test process; every caller gets a migrated database of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../src/db/client.ts'
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { silentLogger } from '../../src/lib/logger.ts'

let starting: Promise<{ server: EmbeddedServer; folder: string }> | undefined
let made = 0

async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'sac-test-db-'))
  const server = await startEmbedded({ dataDir: folder, logger: silentLogger, durable: false })
  await migrateUp({ url: server.url, logger: silentLogger })
  // The server ends with this process by itself; the folder is removed on a normal exit.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return { server, folder }
}

/** URL of a fresh, migrated database. */
export async function testDatabase(): Promise<string> {
  starting ??= start()
  const { server } = await starting
  const name = `test_${process.pid}_${++made}`
  const url = new URL(server.url)
  const sql = connect(server.superuserUrl, { max: 1, onnotice() {} })
  await sql.unsafe(`create database ${name} template ${url.pathname.slice(1)} owner ${url.username}`)
  await sql.end()
  url.pathname = `/${name}`
  return url.href
}
