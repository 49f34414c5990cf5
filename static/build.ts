// Builds the browser's part into static/dist: bundles with hashed names, compressed, and a manifest of the names.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const ROOT = import.meta.dir
const STYLES = ['css/tokens.css', 'css/components.css', 'css/layout.css', 'css/pages.css']
const PLAIN = ['icons.svg', 'favicon.svg', 'csp-style.js']

/** Builds everything. `manifest.json` maps logical names ("app.js") to file names. Throws with the bundler's messages. */
export async function buildStatic({ outdir = join(ROOT, 'dist') }: { outdir?: string } = {}): Promise<void> {
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  const manifest: Record<string, string> = {}
  // One after the other: bundled together they would share a third file, one more round trip for both.
  for (const entry of ['islands/app.ts', 'islands/gate.ts']) manifest[basename(entry).replace(/ts$/, 'js')] = await bundle(join(ROOT, entry), outdir)
  for (const name of PLAIN) manifest[name] = write(outdir, name, readFileSync(join(ROOT, name), 'utf8'))
  manifest['styles.css'] = write(outdir, 'styles.css', styles())
  for (const name of readdirSync(outdir)) compress(join(outdir, name))
  writeFileSync(join(outdir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

async function bundle(entry: string, outdir: string): Promise<string> {
  const result = await Bun.build({
    entrypoints: [entry],
    outdir,
    target: 'browser',
    format: 'esm',
    splitting: true,
    minify: true,
    naming: { entry: '[name]-[hash].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    publicPath: '/static/',
  })
  const main = result.outputs.find((output) => output.kind === 'entry-point')
  if (!result.success || !main) throw new Error(result.logs.map(String).join('\n'))
  return basename(main.path)
}

// Joined, not bundled: a bundler rewrites light-dark(), and an element could no longer choose its own theme.
function styles(): string {
  const [tokens = '', ...rest] = STYLES.map((name) => readFileSync(join(ROOT, name), 'utf8'))
  const xterm = readFileSync(join(ROOT, '..', 'node_modules', '@xterm', 'xterm', 'css', 'xterm.css'), 'utf8')
  return squeezed([tokens, `@layer components {${xterm}}`, ...rest].join('\n'))
}

function squeezed(css: string): string {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};]) ?/g, '$1')
    .replace(/, /g, ',')
    .trim()
}

function write(outdir: string, name: string, text: string): string {
  const dot = name.lastIndexOf('.')
  const hashed = `${name.slice(0, dot)}-${Bun.hash(text).toString(36)}${name.slice(dot)}`
  writeFileSync(join(outdir, hashed), text)
  return hashed
}

function compress(path: string): void {
  const bytes = readFileSync(path)
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
}

if (import.meta.main) await buildStatic()
