// Builds what runs: `static` (browser assets), `sidecar` and `server` (executables in dist/). Skips what is up to date.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buildStatic } from '../static/build.ts'

const ROOT = join(import.meta.dir, '..')
const COMPILE = ['build', '--compile', '--minify', '--bytecode', '--format=esm', '--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig']

const TARGETS: Record<string, { output: string; inputs: string[]; make: () => Promise<void> }> = {
  static: { output: 'static/dist/manifest.json', inputs: ['static', 'bun.lock'], make: () => buildStatic() },
  sidecar: { output: 'dist/sidecar', inputs: ['sidecar', 'src/lib', 'src/internal', 'bun.lock'], make: () => compile(['sidecar/main.ts', '--outfile', 'dist/sidecar']) },
  server: {
    output: 'dist/sac',
    inputs: ['src', 'views', 'chart/files', 'migrations', 'static', 'bun.lock'],
    make: () => compile(['--asset', 'migrations', '--asset', 'static/dist', 'src/main.ts', '--outfile', 'dist/sac']),
  },
}

async function compile(args: string[]): Promise<void> {
  mkdirSync(join(ROOT, 'dist'), { recursive: true })
  const child = Bun.spawn([process.execPath, ...COMPILE, ...args], { cwd: ROOT, stdout: 'ignore', stderr: 'pipe' })
  const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(text)
}

function newest(path: string): number {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(
    0,
    ...readdirSync(path)
      .filter((name) => name !== 'dist')
      .map((name) => newest(join(path, name))),
  )
}

const wanted = process.argv.slice(2)
for (const name of wanted.length > 0 ? wanted : Object.keys(TARGETS)) {
  const target = TARGETS[name]
  if (!target) throw new Error(`There is no target ${name}; use ${Object.keys(TARGETS).join(', ')}.`)
  const output = join(ROOT, target.output)
  if (existsSync(output) && statSync(output).mtimeMs >= Math.max(...target.inputs.map((path) => newest(join(ROOT, path))))) continue
  const began = performance.now()
  await target.make()
  process.stdout.write(`built ${name} in ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
}
