// Builds the browser's part into static/dist: bundles with hashed names, compressed, and a manifest of the names.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const ROOT = import.meta.dir

/** Builds everything. Throws with the bundler's messages. */
export async function buildStatic({ outdir = join(ROOT, 'dist') }: { outdir?: string } = {}): Promise<void> {
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  const result = await Bun.build({
    entrypoints: [join(ROOT, 'islands/app.ts')],
    outdir,
    target: 'browser',
    format: 'esm',
    splitting: true,
    minify: true,
    naming: { entry: '[name]-[hash].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    publicPath: '/static/',
  })
  if (!result.success) throw new Error(result.logs.map(String).join('\n'))
  const manifest: Record<string, string> = {}
  for (const name of readdirSync(outdir)) {
    if (/^app-[a-z0-9]+\.js$/.test(name)) manifest['app.js'] = name
  }
  for (const name of ['icons.svg', 'csp-style.js']) manifest[name] = write(outdir, name, readFileSync(join(ROOT, name), 'utf8'))
  manifest['styles.css'] = write(outdir, 'styles.css', styles())
  for (const name of readdirSync(outdir)) compress(join(outdir, name))
  writeFileSync(join(outdir, 'manifest.json'), JSON.stringify(manifest, null, 2))
}

// Joined as they are: the bundler would rewrite light-dark(), and an element could no longer choose its own theme.
function styles(): string {
  const own = ['tokens', 'components', 'layout', 'terminal'].map((name) => readFileSync(join(ROOT, 'css', `${name}.css`), 'utf8'))
  const [tokens = '', ...rest] = own
  const xterm = readFileSync(join(ROOT, '..', 'node_modules', '@xterm', 'xterm', 'css', 'xterm.css'), 'utf8')
  return [tokens, `@layer components {\n${xterm}}\n`, ...rest].join('\n')
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
