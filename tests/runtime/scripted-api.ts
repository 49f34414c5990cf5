// An API server whose failures are written down: lists, watches and writes of one namespace, on loopback.
import type { ClusterAccess } from '../../src/runtime/kubernetes/access.ts'

/** An object as it is kept. */
export interface Thing {
  metadata: { name: string; resourceVersion: string; [field: string]: unknown }
  [field: string]: unknown
}

type Watcher = { path: string; selector: string; send: (line: unknown) => void; end: (how: 'end' | 'cut') => void }
type Operation = { op: string; path: string; value: unknown }

/** One write as it was asked for. */
export interface Write {
  method: string
  path: string
  body: unknown
}

type Preconditions = { uid?: string; resourceVersion?: string }

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
  ) {
    super(message)
  }
}

/** Holds objects by path and name; tells watchers about changes. */
export class ScriptedApi {
  readonly lists: string[] = []
  readonly watchedFrom: string[] = []
  /** Single objects that were read. */
  readonly singles: string[] = []
  /** What was removed: path and the body of the request. */
  readonly removed: { path: string; body: unknown }[] = []
  /** Answer of the next requests instead of the usual one. */
  readonly refusals: { status: number; reason: string; when: 'list' | 'watch' | 'single' }[] = []
  /** Lists and watches of these collections are refused for as long as it is set. */
  refuse?: (path: string) => boolean
  /** Every write, in the order in which they came. */
  readonly writes: Write[] = []
  /** Called before a write is carried out; may hold it up. */
  beforeWrite?: (write: Write) => unknown
  /** Called after each change of an object; `undefined` is one that went. */
  changed?: (path: string, name: string, now: Thing | undefined, before: Thing | undefined) => void
  private readonly things = new Map<string, Map<string, Thing>>()
  private readonly watchers = new Set<Watcher>()
  private readonly history: { path: string; version: number; line: { type: string; object: unknown } }[] = []
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
    const before = all.get(thing.metadata.name)
    const object = { ...thing, metadata: { ...thing.metadata, resourceVersion: String(++this.version) } }
    all.set(thing.metadata.name, object)
    this.tell(path, { type: before ? 'MODIFIED' : 'ADDED', object })
    this.changed?.(path, thing.metadata.name, object, before)
  }

  get(path: string, name: string): Thing | undefined {
    return this.of(path).get(name)
  }

  names(path: string): string[] {
    return [...this.of(path).keys()]
  }

  drop(path: string, name: string): void {
    const object = this.of(path).get(name)
    this.of(path).delete(name)
    if (!object) return
    this.tell(path, { type: 'DELETED', object: { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } } })
    this.changed?.(path, name, undefined, object)
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

  private tell(path: string, line: { type: string; object: unknown }): void {
    this.history.push({ path, version: this.version, line })
    for (const watcher of this.watchers) if (watcher.path === path && selects(watcher.selector, line)) watcher.send(line)
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (request.method !== 'GET') return this.write(request, pathname)
    // Below a collection there are objects; those of the whole cluster are the only ones that lie elsewhere.
    if (/\/namespaces\/[^/]+\/[^/]+\/[^/]+$|\/(namespaces|storageclasses|runtimeclasses)\/[^/]+$/.test(pathname)) {
      this.singles.push(pathname)
      return this.refused('single') ?? this.single(pathname)
    }
    const kind = searchParams.get('watch') === 'true' ? 'watch' : 'list'
    const refused = this.refuse?.(pathname) ? refusal(new Refused(403, 'Forbidden', 'scripted')) : this.refused(kind)
    if (refused) return refused
    const selector = searchParams.get('labelSelector') ?? ''
    if (kind === 'watch') return this.watch(request, pathname, selector, searchParams.get('resourceVersion') ?? '')
    this.lists.push(pathname)
    return this.page(pathname, selector, Number(searchParams.get('continue') ?? 0), Number(searchParams.get('limit')))
  }

  private refused(kind: 'list' | 'watch' | 'single'): Response | undefined {
    const at = this.refusals.findIndex(({ when }) => when === kind)
    const [found] = at < 0 ? [] : this.refusals.splice(at, 1)
    return found && refusal(new Refused(found.status, found.reason, 'scripted'))
  }

  private page(path: string, selector: string, from: number, limit: number): Response {
    const all = [...this.of(path).values()].filter((object) => selects(selector, { object }))
    const rest = from + limit < all.length ? String(from + limit) : undefined
    return Response.json({ items: all.slice(from, from + limit), metadata: { resourceVersion: String(this.version), continue: rest } })
  }

  private watch(request: Request, path: string, selector: string, from: string): Response {
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
        watcher = { path, selector, send, end }
        // Its headers go out with the first bytes.
        controller.enqueue(encoder.encode('\n'))
        // What happened since the version that is asked from.
        for (const past of this.history) if (past.path === path && past.version > Number(from) && selects(selector, past.line)) send(past.line)
        this.watchers.add(watcher)
      },
      cancel: () => {
        if (watcher) this.watchers.delete(watcher)
      },
    })
    request.signal.addEventListener('abort', () => watcher && this.watchers.delete(watcher))
    return new Response(body, { headers: { 'content-type': 'application/json' } })
  }

  private single(path: string): Response {
    // What stands for the cluster itself is there.
    if (/\/(namespaces|storageclasses|runtimeclasses)\/[^/]+$/.test(path)) return Response.json({ metadata: { name: basename(path) } })
    const object = this.get(parent(path), basename(path))
    return object ? Response.json(object) : refusal(new Refused(404, 'NotFound', `${basename(path)} not found`))
  }

  private async write(request: Request, path: string): Promise<Response> {
    const write = { method: request.method, path, body: await request.json() }
    this.writes.push(write)
    await this.beforeWrite?.(write)
    try {
      if (request.method === 'DELETE') return this.remove(path, write.body as { preconditions?: Preconditions })
      if (request.method === 'POST') return Response.json(this.create(path, write.body as Thing), { status: 201 })
      const type = request.headers.get('content-type') ?? ''
      if (type.includes('json-patch')) return Response.json(this.patch(path, write.body as Operation[]))
      if (type.includes('merge-patch')) return Response.json(this.stored(path, merged(this.present(path), write.body) as Thing))
      return Response.json(this.apply(path, write.body as Thing))
    } catch (error) {
      if (error instanceof Refused) return refusal(error)
      throw error
    }
  }

  private remove(path: string, body: { preconditions?: Preconditions }): Response {
    this.removed.push({ path, body })
    const present = this.present(path).metadata
    for (const [name, value] of Object.entries(body.preconditions ?? {}))
      if (present[name] !== value) throw new Refused(409, 'Conflict', `the ${name} in the precondition does not match`)
    this.drop(parent(path), basename(path))
    return Response.json({ kind: 'Status', status: 'Success' })
  }

  private create(path: string, thing: Thing): Thing {
    if (this.get(path, thing.metadata.name)) throw new Refused(409, 'AlreadyExists', `${thing.metadata.name} already exists`)
    return this.stored(`${path}/${thing.metadata.name}`, { ...thing, metadata: { ...thing.metadata, uid: crypto.randomUUID() } })
  }

  private apply(path: string, thing: Thing): Thing {
    const { uid, resourceVersion } = thing.metadata
    const before = this.get(parent(path), basename(path))
    if ((resourceVersion && resourceVersion !== before?.metadata.resourceVersion) || (uid && uid !== before?.metadata.uid))
      throw new Refused(409, 'Conflict', 'the object has been modified')
    const templates = (object: Thing | undefined) => JSON.stringify((object?.spec as { volumeClaimTemplates?: unknown } | undefined)?.volumeClaimTemplates)
    if (before && templates(before) !== templates(thing)) throw new Refused(422, 'Invalid', 'updates to statefulset spec for fields other than a few are forbidden')
    return this.stored(path, { ...before, ...thing, metadata: { ...before?.metadata, ...thing.metadata, uid: before?.metadata.uid ?? crypto.randomUUID() } })
  }

  private patch(path: string, operations: Operation[]): Thing {
    const object = structuredClone(this.present(path))
    for (const { op, path: at, value } of operations) {
      const steps = at
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
      const last = steps.pop() ?? ''
      const into = steps.reduce<unknown>((node, step) => (node as Record<string, unknown> | undefined)?.[step], object) as Record<string, unknown> | undefined
      if (op === 'test' && into?.[last] !== value) throw new Refused(422, 'Invalid', 'the server rejected our request due to an error in our request')
      if (op !== 'test' && into) into[last] = value
    }
    return operations.every(({ op }) => op === 'test') ? object : this.stored(path, object)
  }

  private present(path: string): Thing {
    const object = this.get(parent(path), basename(path))
    if (!object) throw new Refused(404, 'NotFound', `${basename(path)} not found`)
    return object
  }

  private stored(path: string, thing: Thing): Thing {
    this.put(parent(path), thing)
    return this.present(path)
  }
}

function selects(selector: string, line: { type?: string; object: unknown }): boolean {
  if (line.type === 'BOOKMARK') return true
  const { labels = {} } = (line.object as Thing).metadata as { labels?: Record<string, string> }
  return selector === '' || selector.split(',').every((term) => labels[term.split('=')[0] ?? ''] === term.split('=')[1])
}

function merged(into: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change
  const result: Record<string, unknown> = { ...(typeof into === 'object' ? (into as Record<string, unknown>) : {}) }
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  }
  return result
}

function refusal({ status, reason, message }: Refused): Response {
  return Response.json({ kind: 'Status', code: status, reason, message }, { status })
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
