// Built assets: hashed files from static/dist, precompressed, cached for ever; and their names for the pages.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Elysia } from 'elysia'
import { notFound, OperatorError } from '../lib/errors.ts'
import { everybody } from './auth.ts'

const FOREVER = 'public, max-age=31536000, immutable'
const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  woff2: 'font/woff2',
}

/** Folder of the built assets, in the source tree or inside the compiled executable. */
export function assetFolder(): string {
  const compiled = join(dirname(Bun.main), 'static', 'dist')
  const source = join(import.meta.dir, '..', '..', 'static', 'dist')
  return existsSync(join(source, 'manifest.json')) ? source : compiled
}

/** Maps logical names ("app.js") to URLs ("/static/app-1a2b.js"). */
export class Assets {
  private readonly names: Record<string, string>
  private readonly files = new Map<string, { type: string; plain: string; brotli?: string; gzip?: string }>()

  /** @throws Error with the command to run when the assets are not built. */
  constructor(readonly folder: string = assetFolder()) {
    const manifest = join(folder, 'manifest.json')
    if (!existsSync(manifest)) throw new OperatorError(`The pages' assets are not built (${manifest} is missing). Run \`bun run build\`.`)
    this.names = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, string>
  }

  url(name: string): string {
    const file = this.names[name]
    if (!file) throw new Error(`There is no asset ${name}`)
    return file.startsWith('/') ? file : `/static/${file}`
  }

  /** The file of a URL below /static/, in the best encoding that the browser takes. */
  answer(name: string, request: Request): Response {
    if (!/^[\w.-]+$/.test(name) || name.startsWith('.') || name === 'manifest.json') throw notFound('This file')
    const file = this.file(name)
    const accepted = request.headers.get('accept-encoding') ?? ''
    const headers: Record<string, string> = { 'content-type': file.type, 'cache-control': FOREVER, vary: 'accept-encoding' }
    if (file.brotli && /\bbr\b/.test(accepted)) return new Response(Bun.file(file.brotli), { headers: { ...headers, 'content-encoding': 'br' } })
    if (file.gzip && /\bgzip\b/.test(accepted)) return new Response(Bun.file(file.gzip), { headers: { ...headers, 'content-encoding': 'gzip' } })
    return new Response(Bun.file(file.plain), { headers })
  }

  private file(name: string) {
    const known = this.files.get(name)
    if (known) return known
    const plain = join(this.folder, name)
    if (!existsSync(plain) || name.endsWith('.br') || name.endsWith('.gz')) throw notFound('This file')
    const optional = (path: string) => (existsSync(path) ? path : undefined)
    const file = { type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream', plain, brotli: optional(`${plain}.br`), gzip: optional(`${plain}.gz`) }
    this.files.set(name, file)
    return file
  }
}

/** Public route of the assets. */
export function assetRoutes({ assets }: { assets: Assets }) {
  return new Elysia({ name: 'assets' })
    .use(everybody())
    .get('/static/:file', ({ params, request }) => assets.answer(params.file, request))
    .get('/favicon.ico', () => new Response(null, { status: 204, headers: { 'cache-control': 'public, max-age=86400' } }))
}
