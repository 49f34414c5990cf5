// Serves every page with sample data, the real assets and the real content policy, and a terminal that tests can steer.
// Run it to look at the pages: `bun tests/support/gallery.ts`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Assets } from '../../src/http/assets.ts'
import { pagePolicy } from '../../src/http/security-headers.ts'
import { buildStatic } from '../../static/build.ts'
import { useSprite } from '../../views/components/sprite.ts'
import type { OutputLevel, PageFrame } from '../../views/model.ts'
import { OutputList, OutputRows, PreviewPane } from '../../views/workspace/output.tsx'
import { outputLevel, SESSION, samplePages } from './sample-pages.tsx'

/** One socket of a page: what it said, and ways to speak to it. */
export interface GallerySocket {
  hello?: { columns: number; rows: number; resume?: { stream: string; offset: number } }
  input: string
  /** Lengths of the frames of input. */
  frames: number[]
  /** What stood behind the path. */
  query: string
  sizes: { columns: number; rows: number }[]
  pauses: string[]
  send(type: string, body: string | Uint8Array): void
  close(code: number): void
  closed?: number
}

/** Streams of pages that stay true while they are open; nothing happens on them here unless a test says so. */
const EVENT_STREAMS = ['/events', '/admin/events', '/admin/rollouts/live']

/** What the gallery does; change it while pages look. */
export class Gallery {
  readonly sockets: GallerySocket[] = []
  readonly requests: { method: string; path: string; body: string }[] = []
  /** Screen that a new terminal shows. */
  screen = SCREEN
  /** Whether sockets are accepted: a status refuses the handshake. */
  refuse?: number
  theme: PageFrame['theme'] = 'system'
  levels = new Map<string, OutputLevel>()
  private readonly streams = new Set<ReadableStreamDefaultController<Uint8Array>>()
  private offset = 0

  private constructor(
    readonly assets: Assets,
    private readonly folder: string,
  ) {}

  private server?: Bun.Server<{ socket?: GallerySocket; query?: string }>

  static async start(port = 0): Promise<Gallery> {
    const folder = mkdtempSync(join(tmpdir(), 'sac-gallery-'))
    await buildStatic({ outdir: folder })
    const gallery = new Gallery(new Assets(folder), folder)
    useSprite(gallery.assets.url('icons.svg'))
    gallery.listen(port)
    return gallery
  }

  get url(): string {
    return `http://127.0.0.1:${this.server?.port}`
  }

  /** Sends a message to every open event stream. */
  publish(html: string): void {
    const lines = html.split('\n').map((line) => `data: ${line}\n`)
    for (const stream of this.streams) stream.enqueue(new TextEncoder().encode(`${lines.join('')}\n`))
  }

  get listeners(): number {
    return this.streams.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.stop(true)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private listen(port: number): void {
    this.server = Bun.serve<{ socket?: GallerySocket; query?: string }>({
      port,
      hostname: '127.0.0.1',
      idleTimeout: 0,
      fetch: (request, server) => this.answer(request, server),
      websocket: {
        data: {} as { socket?: GallerySocket; query?: string },
        open: (ws) => {
          ws.data.socket = this.accept(ws)
        },
        message: (ws, frame) => this.receive(ws.data.socket, new Uint8Array(frame as Buffer)),
        close: (ws, code) => {
          if (ws.data.socket) ws.data.socket.closed = code
        },
      },
    })
  }

  private async answer(request: Request, server: Bun.Server<{ socket?: GallerySocket; query?: string }>): Promise<Response | undefined> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname.startsWith('/static/')) return this.assets.answer(pathname.slice(8), request)
    this.requests.push({ method: request.method, path: pathname, body: request.method === 'POST' ? await request.text() : '' })
    if (pathname.startsWith('/ws/')) {
      if (this.refuse !== undefined || request.headers.get('upgrade') === null) return new Response(null, { status: this.refuse ?? 400 })
      return server.upgrade(request, { headers: { 'sec-websocket-protocol': 'tty' }, data: { query: new URL(request.url).search } })
        ? undefined
        : new Response(null, { status: 400 })
    }
    if (EVENT_STREAMS.includes(pathname)) return this.events()
    if (pathname.endsWith('/output/preview')) return html(await preview(searchParams.get('path') ?? ''))
    if (pathname.endsWith('/output')) return html(await this.level(searchParams))
    return this.page(request, pathname)
  }

  private async page(request: Request, pathname: string): Promise<Response> {
    const nonce = crypto.randomUUID()
    const frame: PageFrame = { organisation: 'Nordwind', nonce, asset: (name) => this.assets.url(name), theme: this.theme }
    const pages = samplePages(frame)
    const agent = /^\/agents\/(\d+)/.exec(pathname)?.[1]
    const name = pathname === '/' || agent === '1' ? 'workbench' : agent ? 'workbench-stopped' : (ROUTES[pathname] ?? pathname.slice(1))
    const page =
      (request.method === 'POST' ? pages[ROUTES[`POST ${pathname}`] ?? 'workbench'] : pages[pathname.endsWith('/edit') ? 'agent-edit' : name]) ?? pages['error-404'] ?? ''
    const refused = request.method === 'POST' && ROUTES[`POST ${pathname}`] !== undefined
    const status = refused ? 422 : page === pages['error-404'] ? 404 : 200
    return new Response(await page, { status, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy(nonce), 'cache-control': 'no-store' } })
  }

  private events(): Response {
    let own: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller
        this.streams.add(controller)
        controller.enqueue(new TextEncoder().encode('retry: 500\n\n'))
      },
      cancel: () => void this.streams.delete(own),
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  private async level(query: URLSearchParams): Promise<string> {
    const folder = query.get('path') ?? ''
    const after = query.get('after')
    const level = this.levels.get(after ? `${folder}?${after}` : folder) ?? outputLevel(undefined, folder)
    return after ? OutputRows({ level }) : OutputList({ level })
  }

  private accept(ws: Bun.ServerWebSocket<{ socket?: GallerySocket; query?: string }>): GallerySocket {
    const socket: GallerySocket = {
      input: '',
      frames: [],
      query: ws.data.query ?? '',
      sizes: [],
      pauses: [],
      send: (type, body) => {
        const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
        ws.sendBinary(Buffer.concat([Buffer.from(type), bytes]))
        if (type === '0') this.offset += bytes.byteLength
      },
      close: (code) => ws.close(code, 'as the test wants'),
    }
    this.sockets.push(socket)
    return socket
  }

  private receive(socket: GallerySocket | undefined, frame: Uint8Array): void {
    if (!socket) return
    const text = new TextDecoder().decode(frame.subarray(1))
    const type = String.fromCharCode(frame[0] ?? 0)
    if (type === '{') {
      socket.hello = JSON.parse(`{${text}`)
      const known = socket.hello?.resume?.stream === 'one'
      if (!known) this.offset = 0
      socket.send(
        's',
        JSON.stringify({
          stream: 'one',
          seat: `seat ${this.sockets.length}`,
          typed: 0,
          offset: known ? socket.hello?.resume?.offset : 0,
          end: known ? this.offset : Buffer.byteLength(this.screen),
          skipped: 0,
          reset: !known,
          role: 'writer',
          viewers: 2,
          state: 'live',
        }),
      )
      if (!known) socket.send('0', this.screen)
    } else if (type === '0') {
      socket.input += text
      socket.frames.push(frame.byteLength - 1)
    } else if (type === '1') socket.sizes.push(JSON.parse(text))
    else socket.pauses.push(type)
  }
}

const ROUTES: Record<string, string> = {
  '/agents/new': 'agent-new',
  'POST /agents': 'agent-edit',
  'POST /agents/1': 'agent-edit',
}

function html(body: string): Response {
  return new Response(body, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}

function preview(path: string): Promise<string> | string {
  const size = 1230
  if (path.endsWith('.png')) return PreviewPane({ agentId: 1, path, size: 86_016, preview: { kind: 'image', url: '/static/none.png' } }) as string
  if (path.endsWith('.bin')) return PreviewPane({ agentId: 1, path, size, preview: { kind: 'other' } }) as string
  const text = 'region,product,orders,revenue_eur\nNorth,Storage,1204,418220\nSouth,Storage,932,311064\n'
  return PreviewPane({ agentId: 1, path, size, preview: { kind: 'text', text, cut: path.endsWith('.md') } }) as string
}

const SCREEN = [
  '\x1b[38;5;173m╭─── Claude Code\x1b[0m \x1b[2mv2.1.197\x1b[0m \x1b[38;5;173m───────────────────────────────╮\x1b[0m',
  '\x1b[38;5;173m│\x1b[0m \x1b[1mWelcome back Mira!\x1b[0m                                  \x1b[38;5;173m│\x1b[0m',
  '\x1b[38;5;173m╰─────────────────────────────────────────────────────╯\x1b[0m',
  '',
  '\x1b[2m❯\x1b[0m Read the Q3 exports in data/ and make a short report.',
  '',
  "● I'll look at the exports first, then build the three files.",
  '',
  '\x1b[32m●\x1b[0m \x1b[1mBash\x1b[0m(ls -lh data/ && head -3 data/orders-2026-q3.csv)',
  '\x1b[32m●\x1b[0m \x1b[1mUpdate\x1b[0m(scripts/chart.py) 😀 漢字 see https://example.com/docs',
  '\x1b[48;2;90;26;30m   14 -  plot(df.groupby("region").revenue.sum())\x1b[0m',
  '\x1b[48;2;24;60;36m   14 +  totals = df.groupby("region").revenue_eur.sum()\x1b[0m',
  '',
  '\x1b[35m⏵⏵ accept edits on\x1b[0m \x1b[2m(shift+tab to cycle)\x1b[0m',
  '❯ ',
].join('\r\n')

/** Session of the sample terminals. */
export { SESSION }

if (import.meta.main) {
  const gallery = await Gallery.start(4400)
  const frame: PageFrame = { organisation: '', nonce: '', asset: () => '', theme: 'system' }
  for (const name of Object.keys(samplePages(frame))) process.stdout.write(`${gallery.url}/${name}\n`)
}
