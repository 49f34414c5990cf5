// Builds what runs: `static` (the browser's part), `sidecar` and `server` (executables in dist/). Skips what is up to date.
// `--arch amd64|arm64` builds the executables for such a Linux machine, whatever this one is, in dist/linux-ARCH/.
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildStatic } from '../static/build.ts'

const ROOT = join(import.meta.dir, '..')
const COMPILE = ['build', '--compile', '--minify', '--bytecode', '--format=esm', '--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig']

// As Docker calls them, and Bun.
const ARCHITECTURES: Record<string, string> = { amd64: 'bun-linux-x64', arm64: 'bun-linux-arm64' }
const { values: flags, positionals } = parseArgs({ args: process.argv.slice(2), allowPositionals: true, options: { arch: { type: 'string' } } })
const FOREIGN =
  flags.arch === undefined ? [] : [`--target=${ARCHITECTURES[flags.arch] ?? fail(`There is no architecture "${flags.arch}". Use ${Object.keys(ARCHITECTURES).join(' or ')}.`)}`]
const PROGRAMS = flags.arch === undefined ? 'dist' : `dist/linux-${flags.arch}`

interface Target {
  output: string
  inputs: string[]
  make(output: string): Promise<void>
}

const TARGETS: Record<string, Target> = {
  static: { output: 'static/dist/manifest.json', inputs: ['static', 'bun.lock'], make: () => buildStatic() },
  sidecar: { output: `${PROGRAMS}/sidecar`, inputs: ['sidecar', 'src/lib', 'src/internal', 'bun.lock'], make: (output) => compile('sidecar/main.ts', output) },
  // Carries the migrations and the browser's part, so the latter is built before it.
  server: { output: `${PROGRAMS}/sac`, inputs: ['src', 'views', 'chart', 'migrations', 'static', 'bun.lock'], make: compileServer },
}

async function compileServer(output: string): Promise<void> {
  // An embedded folder keeps only its own name; one level around it keeps `static/dist`.
  const around = join(dirname(output), 'assets', 'static')
  cpSync(join(ROOT, 'static/dist'), join(ROOT, around, 'dist'), { recursive: true })
  try {
    await compile('src/main.ts', output, ['--asset', 'migrations', '--asset', around])
  } finally {
    rmSync(join(ROOT, dirname(around)), { recursive: true, force: true })
  }
}

async function compile(entry: string, output: string, options: string[] = []): Promise<void> {
  // The old file may be running: it is replaced, never written into.
  const fresh = join(dirname(output), 'new', basename(output))
  mkdirSync(join(ROOT, dirname(fresh)), { recursive: true })
  const child = Bun.spawn([process.execPath, ...COMPILE, ...FOREIGN, ...options, entry, '--outfile', fresh], { cwd: ROOT, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code === 0) renameSync(join(ROOT, fresh), join(ROOT, output))
  rmSync(join(ROOT, dirname(fresh)), { recursive: true, force: true })
  if (code !== 0) throw new Error(text)
}

async function build(name: string, { output, inputs, make }: Target): Promise<void> {
  const path = join(ROOT, output)
  if (existsSync(path) && statSync(path).mtimeMs >= Math.max(...inputs.map((input) => newest(join(ROOT, input))))) return
  const began = performance.now()
  mkdirSync(dirname(path), { recursive: true })
  await make(output)
  process.stdout.write(`built ${name} in ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
}

/** When the newest file below a path was changed. Folders count too: a removed file changes its folder. */
function newest(path: string): number {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  const names = readdirSync(path).filter((name) => name !== 'dist')
  return Math.max(path.endsWith('static') ? 0 : stat.mtimeMs, ...names.map((name) => newest(join(path, name))))
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
  const target = TARGETS[name] ?? fail(`There is no target "${name}". Use ${Object.keys(TARGETS).join(', ')}.`)
  try {
    await build(name, target)
  } catch (error) {
    process.stderr.write(`${name} could not be built:\n${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}
