// The folders, the password and the addresses of the embedded server.

import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import { programs } from './binaries.ts'
import { type Identity, launcher, serverIdentity } from './identity.ts'

/** Everything about where and how one embedded server runs. */
export interface Place {
  root: string
  /** PostgreSQL's own folder. */
  data: string
  socketFolder: string
  logFile: string
  password: string
  /** Folder of the server programs. */
  bin: string
  /** Words in front of a server program. */
  launcher: string[]
  identity?: Identity
}

/** Owner of the cluster, for repairs. The portal itself is `PORTAL_ROLE`, who is nobody special. */
export const SUPERUSER = 'postgres'
export const PORTAL_ROLE = 'sac'
export const PORTAL_DATABASE = 'sac'

// A Unix socket's path has 107 bytes at most, `/.s.PGSQL.5432` included.
const MAX_SOCKET_FOLDER = 90

/** Makes the folders and the password in DATA_DIR. Throws Error with a next step. */
export function preparePlace(dataDir: string): Place {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const above = realpathSync(dataDir)
  const root = join(above, 'postgres')
  const data = join(root, 'data')
  try {
    const identity = serverIdentity(data)
    own(root, identity)
    if (identity) letIn(above, identity)
    return {
      root,
      data,
      socketFolder: socketFolder(root, identity),
      logFile: join(root, 'server.log'),
      password: keptPassword(join(above, 'postgres.secret')),
      bin: programs({ identity, copyTo: root }),
      launcher: launcher(identity, root),
      identity,
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'EPERM' && code !== 'EACCES') throw cause
    throw new OperatorError(`${root} belongs to another user. Start as the user who made it, set DATA_DIR to a folder of your own, or set DATABASE_URL.`, { cause })
  }
}

/** Address for `connect`; holds the password. */
export function urlOf({ password, socketFolder }: Place, role: string, database: string): string {
  return `postgres://${role}:${password}@localhost/${database}?socket=${encodeURIComponent(socketFolder)}`
}

function own(folder: string, identity?: Identity): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  identity?.own(folder)
}

// A closed DATA_DIR of ours opens for the server's group: to pass, not to list or read.
function letIn(folder: string, identity: Identity): void {
  const { uid, mode } = statSync(folder)
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) return
  chownSync(folder, uid, identity.gid)
  chmodSync(folder, 0o710)
}

function socketFolder(root: string, identity?: Identity): string {
  const near = join(root, 'run')
  if (Buffer.byteLength(near) <= MAX_SOCKET_FOLDER) {
    own(near, identity)
    return near
  }
  const far = join(tmpdir(), `sac-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`)
  try {
    mkdirSync(far, { mode: 0o700 })
    identity?.own(far)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  // Anybody may make a folder or a link of that name in the shared one; only our own is used.
  const found = lstatSync(far)
  const owner = identity?.uid ?? process.getuid?.() ?? found.uid
  if (!found.isDirectory() || found.uid !== owner || (found.mode & 0o077) !== 0)
    throw new OperatorError(`${far} is not ours, and the path of DATA_DIR is too long for a socket. Remove it, set DATA_DIR to a shorter path, or set DATABASE_URL.`)
  return far
}

function keptPassword(path: string): string {
  if (!existsSync(path)) {
    const unfinished = `${path}.${process.pid}`
    writeFileSync(unfinished, randomBytes(24).toString('hex'), { mode: 0o600 })
    try {
      // A link, unlike a rename, never replaces the password of a process that was quicker.
      linkSync(unfinished, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(unfinished, { force: true })
    }
  }
  return readFileSync(path, 'utf8').trim()
}
