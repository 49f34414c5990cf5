// Makes the cluster: PostgreSQL's files, the portal's role and its database.

import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import { connect } from '../client.ts'
import { type Place, PORTAL_DATABASE, PORTAL_ROLE, SUPERUSER, urlOf } from './place.ts'
import { birth } from './processes.ts'

const UNFINISHED = 'new-data-'

/** The environment of every server program: nothing of ours. */
export const CLEAN_ENVIRONMENT: Record<string, string> = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' }

/** Creates the files when there are none. Killed or parallel calls leave nothing half-made. Throws Error with a next step. */
export async function createCluster(place: Place, { durable }: { durable: boolean }): Promise<void> {
  if (isCluster(place)) return
  if (existsSync(place.data) && readdirSync(place.data).length > 0)
    throw new OperatorError(`${place.data} holds files but no database. Nothing there was touched: put a backup in its place, or move it away to start with an empty database.`)
  removeUnfinished(place)
  const fresh = join(place.root, `${UNFINISHED}${process.pid}`)
  const secret = `${fresh}.secret`
  writeFileSync(secret, place.password, { mode: 0o600 })
  place.identity?.own(secret)
  try {
    await initdb(place, [`--pgdata=${fresh}`, `--pwfile=${secret}`, ...(durable ? [] : ['--no-sync'])])
    renameSync(fresh, place.data)
  } catch (error) {
    // Another process may have been quicker; its cluster has the same password.
    if (!isCluster(place)) throw error
  } finally {
    rmSync(secret, { force: true })
    rmSync(fresh, { recursive: true, force: true })
  }
}

function isCluster({ data }: Place): boolean {
  return existsSync(join(data, 'PG_VERSION'))
}

function removeUnfinished({ root }: Place): void {
  for (const name of readdirSync(root).filter((entry) => entry.startsWith(UNFINISHED))) {
    if (!birth(Number.parseInt(name.slice(UNFINISHED.length), 10))) rmSync(join(root, name), { recursive: true, force: true })
  }
}

async function initdb(place: Place, options: string[]): Promise<void> {
  const command = [...place.launcher, join(place.bin, 'initdb'), `--username=${SUPERUSER}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C.UTF-8', ...options]
  const child = Bun.spawn(command, { cwd: '/', env: CLEAN_ENVIRONMENT, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  if (code === 0) return
  const reason = `${out}\n${err}`.split('\n').find((line) => /error|fatal|denied|no space/i.test(line)) ?? err.trim()
  throw new OperatorError(`The embedded database could not be created: ${reason.trim()}. Check the free space and the permissions of ${place.root}, or set DATABASE_URL.`)
}

/** Creates the portal's role and database when they are missing. Throws Error with a next step. */
export async function createPortalDatabase(place: Place): Promise<void> {
  const sql = connect(urlOf(place, SUPERUSER, 'postgres'), { max: 1, onnotice() {} })
  try {
    await sql`select pg_advisory_lock(1)`
    const [role] = await sql`select 1 from pg_roles where rolname = ${PORTAL_ROLE}`
    // Not a superuser: what reaches the portal's queries cannot read the server's files or run programs.
    if (!role) await sql.unsafe(`create role ${PORTAL_ROLE} login password '${place.password}'`)
    const [database] = await sql`select 1 from pg_database where datname = ${PORTAL_DATABASE}`
    if (!database) await sql.unsafe(`create database ${PORTAL_DATABASE} owner ${PORTAL_ROLE}`)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
