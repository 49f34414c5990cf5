// An API server whose failures are written down: lists and watches of one namespace, on loopback.
import type { ClusterAccess } from '../../src/runtime/kubernetes/access.ts'

interface Thing {
  metadata: { name: string; resourceVersion: string; [field: string]: unknown }
  [field: string]: unknown
}

type Watcher = { path: string; send: (line: unknown) => void; end: (how: 'end' | 'cut') => void }

/** Holds objects by path and name; tells watchers about changes. */
export class ScriptedApi {
  readonly lists: string[] = []
  readonly watchedFrom: string[] = []
  /** What was removed: path and the body of the request. */
  readonly removed: { path: string; body: unknown }[] = []
  /** Answer of the next requests instead of the usual one. */
  readonly refusals: { status: number; reason: string; when: 'list' | 'watch' }[] = []
  private readonly things = new Map<string, Map<string, Thing>>()
  private readonly watchers = new Set<Watcher>()
  private readonly history: { path: string; version: number; line: unknown }[] = []
  private version = 1
  private readonly server: Bun.Server<undefined>

  constructor() {
    this.server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, fetch: (request) => this.answer(request) })
  }

  get access(): ClusterAccess {
    return { server: `http://127.0.0.1:${this.server.port}`, credentials: async () => ({ tls: {}, headers: {} }) }
  }

  get watching(): number {
    return this.watchers.size
  }

  put(path: string, thing: { metadata: { name: string; [field: string]: unknown }; [field: string]: unknown }): void {
    const all = this.of(path)
    const type = all.has(thing.metadata.name) ? 'MODIFIED' : 'ADDED'
    const object = { ...thing, metadata: { ...thing.metadata, resourceVersion: String(++this.version) } }
    all.set(thing.metadata.name, object)
    this.tell(path, { type, object })
  }

  drop(path: string, name: string): void {
    const object = this.of(path).get(name)
    this.of(path).delete(name)
    if (object) this.tell(path, { type: 'DELETED', object: { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } } })
  }

  /** Changes that nobody is told about, as while a watch is broken. */
  dropSilently(path: string, name: string): void {
    this.of(path).delete(name)
    this.version++
  }

  bookmark(path: string): void {
    this.tell(path, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(++this.version) } } })
  }

  /** Says on every watch that its version is too old. */
  expire(): void {
    for (const { send } of this.watchers) send({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old resource version', metadata: {} } })
  }

  /** Ends all watches: in good order, or in the middle of a line. */
  breakWatches(how: 'end' | 'cut'): void {
    for (const { end } of [...this.watchers]) end(how)
  }

  [Symbol.dispose](): void {
    this.breakWatches('end')
    this.server.stop(true)
  }

  private of(path: string): Map<string, Thing> {
    const all = this.things.get(path) ?? new Map<string, Thing>()
    this.things.set(path, all)
    return all
  }

  private tell(path: string, line: unknown): void {
    this.history.push({ path, version: this.version, line })
    for (const watcher of this.watchers) if (watcher.path === path) watcher.send(line)
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (request.method === 'DELETE') {
      this.removed.push({ path: pathname, body: await request.json() })
      const at = pathname.lastIndexOf('/')
      this.drop(pathname.slice(0, at), pathname.slice(at + 1))
      return Response.json({ kind: 'Status', status: 'Success' })
    }
    const kind = searchParams.get('watch') === 'true' ? 'watch' : 'list'
    const refusal = this.refusals.findIndex(({ when }) => when === kind)
    if (refusal >= 0) {
      const [{ status, reason } = { status: 500, reason: '' }] = this.refusals.splice(refusal, 1)
      return Response.json({ kind: 'Status', code: status, reason, message: 'scripted' }, { status })
    }
    if (kind === 'watch') return this.watch(request, pathname, searchParams.get('resourceVersion') ?? '')
    this.lists.push(pathname)
    return this.page(pathname, Number(searchParams.get('continue') ?? 0), Number(searchParams.get('limit')))
  }

  private page(path: string, from: number, limit: number): Response {
    const all = [...this.of(path).values()]
    const rest = from + limit < all.length ? String(from + limit) : undefined
    return Response.json({ items: all.slice(from, from + limit), metadata: { resourceVersion: String(this.version), continue: rest } })
  }

  private watch(request: Request, path: string, from: string): Response {
    this.watchedFrom.push(from)
    const encoder = new TextEncoder()
    let watcher: Watcher | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (line: unknown) => controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`))
        const end = (how: 'end' | 'cut') => {
          if (watcher) this.watchers.delete(watcher)
          if (how === 'cut') controller.enqueue(encoder.encode('{"type":"ADD'))
          controller.close()
        }
        watcher = { path, send, end }
        // Its headers go out with the first bytes.
        controller.enqueue(encoder.encode('\n'))
        // What happened since the version that is asked from.
        for (const past of this.history) if (past.path === path && past.version > Number(from)) send(past.line)
        this.watchers.add(watcher)
      },
      cancel: () => {
        if (watcher) this.watchers.delete(watcher)
      },
    })
    request.signal.addEventListener('abort', () => watcher && this.watchers.delete(watcher))
    return new Response(body, { headers: { 'content-type': 'application/json' } })
  }
}
