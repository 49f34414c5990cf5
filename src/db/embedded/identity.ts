// As whom the server runs: PostgreSQL refuses root, so root becomes somebody else for it.

import { chownSync, existsSync, lchownSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'

/** A user other than ourselves. Only root ever has one. */
export interface Identity {
  name: string
  uid: number
  gid: number
  /** Gives a file or folder to this user. */
  own(path: string, options?: { recursive: boolean }): void
}

const CAN_READ_ANYTHING = 1n << 2n // CAP_DAC_READ_SEARCH

/** Undefined when we are not root. A data folder keeps the user that it already belongs to. Throws Error with a next step. */
export function serverIdentity(data: string): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined
  const owner = existsSync(data) ? statSync(data) : undefined
  if (owner && owner.uid !== 0) return identity(`user ${owner.uid}`, owner.uid, owner.gid)
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const found = ['postgres', 'nobody'].map((name) => users.find((user) => user[0] === name)).find(Boolean)
  if (!found) throw new OperatorError('The embedded PostgreSQL does not run as root. Create a user `postgres` for it, start as an ordinary user, or set DATABASE_URL.')
  return identity(found[0] ?? '', Number(found[2]), Number(found[3]))
}

function identity(name: string, uid: number, gid: number): Identity {
  const own = (path: string, { recursive } = { recursive: false }) => {
    if (!recursive) return chownSync(path, uid, gid)
    lchownSync(path, uid, gid)
    for (const entry of readdirSync(path, { recursive: true, encoding: 'utf8' })) lchownSync(join(path, entry), uid, gid)
  }
  return { name, uid, gid, own }
}

/**
 * Words in front of a server program: become `identity`, and end with us. Without `setpriv` (macOS) there are none:
 * a server that outlives us is ended by the next start. Throws Error with a next step.
 */
export function launcher(identity: Identity | undefined, root: string): string[] {
  const setpriv = Bun.which('setpriv', { PATH: '/usr/bin:/bin:/usr/local/bin' })
  if (!identity) return setpriv ? [setpriv, '--pdeathsig=INT'] : []
  if (!setpriv)
    throw new OperatorError('The embedded PostgreSQL does not run as root and needs `setpriv` (package util-linux) to become another user. Install it, or set DATABASE_URL.')
  const become = [setpriv, `--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups']
  // Last resort for a DATA_DIR below root's closed home: may pass closed folders, owns nothing there.
  if (!canEnter(root, identity)) become.push(...passClosedFolders(identity, root))
  return [...become, '--pdeathsig=INT']
}

function passClosedFolders({ name }: Identity, root: string): string[] {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  if ((BigInt(`0x${held}`) & CAN_READ_ANYTHING) === 0n)
    throw new OperatorError(
      `The embedded PostgreSQL runs as ${name}, who may not enter ${root}. Set DATA_DIR to a folder that other users may enter (for example /var/lib/sac), or set DATABASE_URL.`,
    )
  // The bit keeps access(2), by which PostgreSQL looks for its own programs, from leaving the capability out.
  return ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search', '--securebits=+no_setuid_fixup']
}

/** Whether the mode bits let this user enter a folder and every folder above it. */
export function canEnter(folder: string, identity: Identity): boolean {
  const above = dirname(folder)
  return mayExecute(folder, identity) && (above === folder || canEnter(above, identity))
}

/** Whether the mode bits let this user run a program. */
export function canExecute(program: string, identity: Identity): boolean {
  return mayExecute(program, identity) && canEnter(dirname(program), identity)
}

function mayExecute(path: string, { uid, gid }: Identity): boolean {
  const stat = statSync(path)
  const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001
  return (stat.mode & bit) !== 0
}
