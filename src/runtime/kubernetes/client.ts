// The cluster's API over Bun's fetch: typed verbs, each with a deadline, and watches as streams of lines.
import { raced } from '../../lib/raced.ts'
import type { ClusterAccess } from './access.ts'

const DEADLINE_MS = 5000
// Objects are a dozen KiB each in transit, and a hundredth of that once they are read.
const PAGE = 100
const FIELD_MANAGER = 'sac'
/** A watch on which nothing is heard for this long is asked for again: its other end may be lost. */
const SILENT_MS = 15_000
// An object has at most 1.5 MiB in a cluster's store.
const MAX_LINE_CHARS = 4 * 1024 * 1024

/** Collections that sandboxes are made of. */
export const PATHS = {
  statefulSets: (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
  pods: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
  services: (namespace: string) => `/api/v1/namespaces/${namespace}/services`,
  secrets: (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`,
  configMaps: (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`,
  claims: (namespace: string) => `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
  events: (namespace: string) => `/api/v1/namespaces/${namespace}/events`,
  podMetrics: (namespace: string) => `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`,
  storageClasses: '/apis/storage.k8s.io/v1/storageclasses',
  runtimeClasses: '/apis/node.k8s.io/v1/runtimeclasses',
} as const

/** The API's refusal. `reason` is its machine word, for example NotFound, Forbidden, Invalid, Expired. */
export class ApiRefusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
  ) {
    super(message)
    this.name = 'ApiRefusal'
  }
}

/** A watch on which nothing is heard any more; there may be nothing to tell, or the other end may be gone. */
export class WatchSilent extends Error {
  override name = 'WatchSilent'
}

/** There was no answer in time, or none at all. */
export class ApiUnreachable extends Error {
  override name = 'ApiUnreachable'
}

export interface ApiObject {
  metadata: { name: string; resourceVersion?: string; [field: string]: unknown }
  [field: string]: unknown
}

export interface ApiList<T> {
  items: T[]
  resourceVersion: string
}

/** One change that a watch reports. */
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: T
}

/** One value in an object: `path` as in JSON Patch, for example /spec/replicas. */
export interface Field {
  path: string
  value: unknown
}

type Query = Record<string, string | number | boolean | undefined>

/** How long the API is waited for. */
export interface ApiLimits {
  /** For the whole of a call, what is presented included, and for a watch to begin. */
  callMs: number
  /** For the next sign of life of a watch. */
  silentMs: number
}

const LIMITS: ApiLimits = { callMs: DEADLINE_MS, silentMs: SILENT_MS }

/** Speaks to one API server. Calls throw ApiRefusal or ApiUnreachable. */
export class KubeClient {
  constructor(
    private readonly access: ClusterAccess,
    private readonly limits = LIMITS,
  ) {}

  get<T = ApiObject>(path: string, query: Query = {}): Promise<T> {
    return this.ask<T>('GET', path, { query })
  }

  /** Everything in a collection, in pages that the API keeps consistent. */
  async list<T>(path: string, query: Query = {}): Promise<ApiList<T>> {
    const items: T[] = []
    let next: string | undefined
    for (;;) {
      const page = await this.ask<{ items?: T[]; metadata: { resourceVersion: string; continue?: string } }>('GET', path, { query: { ...query, limit: PAGE, continue: next } })
      for (const item of page.items ?? []) items.push(item)
      next = page.metadata.continue || undefined
      if (!next) return { items, resourceVersion: page.metadata.resourceVersion }
    }
  }

  /** Server-side apply: makes the object or changes what we own of it. With `force` we also take what others own. */
  apply<T = ApiObject>(path: string, object: { metadata?: { name?: string } }, { force = true }: { force?: boolean } = {}): Promise<T> {
    const query = { fieldManager: FIELD_MANAGER, force }
    return this.ask<T>('PATCH', `${path}/${object.metadata?.name}`, { query, body: object, type: 'application/apply-patch+yaml' })
  }

  /** Makes an object; undefined when there is one of that name. */
  async create<T = ApiObject>(path: string, object: object): Promise<T | undefined> {
    try {
      return await this.ask<T>('POST', path, { query: { fieldManager: FIELD_MANAGER }, body: object })
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 409 && error.reason === 'AlreadyExists') return undefined
      throw error
    }
  }

  /** Changes an object if all of `tests` hold for it at that moment; false when one does not, or when it is not there. */
  async changeIf(path: string, name: string, tests: Field[], changes: Field[]): Promise<boolean> {
    const body = [...tests.map((field) => ({ op: 'test', ...field })), ...changes.map((field) => ({ op: 'add', ...field }))]
    try {
      return await found(this.ask('PATCH', `${path}/${name}`, { query: { fieldManager: FIELD_MANAGER }, body, type: 'application/json-patch+json' }))
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 422 && error.message.includes('error in our request')) return false
      throw error
    }
  }

  /** Changes single fields; false when the object is not there. */
  async merge(path: string, name: string, change: unknown): Promise<boolean> {
    return found(this.ask('PATCH', `${path}/${name}`, { query: { fieldManager: FIELD_MANAGER }, body: change, type: 'application/merge-patch+json' }))
  }

  /** Deletes an object and what belongs to it; false when it is not there. */
  async remove(path: string, name: string, options: { gracePeriodSeconds?: number; preconditions?: { uid: string; resourceVersion?: string } } = {}): Promise<boolean> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background', ...options }
    return found(this.ask('DELETE', `${path}/${name}`, { body }))
  }

  /** Changes of a collection from a version on; `opened` is called when the API has agreed. Ends when the server ends it, throws when it is silent (WatchSilent) or broken. */
  async *watch<T>(path: string, query: Query, signal: AbortSignal, opened: () => void): AsyncGenerator<WatchEvent<T>> {
    const { callMs, silentMs } = this.limits
    const silence = new AbortController()
    let clock = setTimeout(() => silence.abort(new ApiUnreachable('the watch did not begin in time')), callMs)
    const heard = () => {
      clearTimeout(clock)
      clock = setTimeout(() => silence.abort(new WatchSilent('nothing was heard')), silentMs)
    }
    try {
      const answer = await this.send('GET', path, { query: { ...query, watch: true, allowWatchBookmarks: true }, signal: AbortSignal.any([signal, silence.signal]) })
      if (!answer.ok) throw refusalOf(answer.status, await answer.text())
      opened()
      heard()
      if (!answer.body) return
      const decoder = new TextDecoder()
      let rest = ''
      for (const reader = answer.body.getReader(); ; ) {
        const { done, value } = await reader.read()
        if (done) return
        heard()
        rest += decoder.decode(value, { stream: true })
        if (rest.length > MAX_LINE_CHARS && !rest.includes('\n')) throw new ApiUnreachable('a line of the watch does not end')
        const lines = rest.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent<T>
      }
    } finally {
      clearTimeout(clock)
      silence.abort()
    }
  }

  /** A WebSocket to the API, for example to a port of a pod. It opens by itself later, or never: its owner sets it a limit. */
  async socket(path: string, protocol: string): Promise<WebSocket> {
    const { tls, headers } = await this.presented(AbortSignal.timeout(this.limits.callMs))
    const url = `${this.access.server.replace(/^http/, 'ws')}${path}`
    const Socket = WebSocket as unknown as new (
      url: string,
      options: { protocols: string[]; headers: Record<string, string>; tls: unknown; perMessageDeflate: boolean },
    ) => WebSocket
    return new Socket(url, { protocols: [protocol], headers, tls, perMessageDeflate: false })
  }

  private async ask<T>(method: string, path: string, { query, body, type = 'application/json' }: { query?: Query; body?: unknown; type?: string }): Promise<T> {
    const answer = await this.send(method, path, { query, body, type, signal: AbortSignal.timeout(this.limits.callMs) })
    const text = await answer.text().catch((cause: unknown) => {
      throw new ApiUnreachable('the answer of the cluster’s API broke off', { cause })
    })
    if (!answer.ok) throw refusalOf(answer.status, text)
    return JSON.parse(text) as T
  }

  private async send(method: string, path: string, { query = {}, body, type, signal }: { query?: Query; body?: unknown; type?: string; signal: AbortSignal }): Promise<Response> {
    const { tls, headers } = await this.presented(signal)
    const url = new URL(this.access.server + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value))
    const sent: Record<string, string> = { ...headers, accept: 'application/json', ...(type && body !== undefined ? { 'content-type': type } : {}) }
    try {
      return await fetch(url, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), tls, signal, redirect: 'manual' } as BunFetchRequestInit)
    } catch (cause) {
      throw new ApiUnreachable(`the cluster’s API does not answer (${wordsOf(cause)})`, { cause })
    }
  }

  // Programs that fetch tokens and disks that hold them may hang as well as the API.
  private async presented(signal: AbortSignal): ReturnType<ClusterAccess['credentials']> {
    try {
      return await raced(this.access.credentials(), signal)
    } catch (cause) {
      throw new ApiUnreachable(`there is nothing to present to the cluster’s API (${wordsOf(cause)})`, { cause })
    }
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

async function found(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 404) return false
    throw error
  }
}

function refusalOf(status: number, text: string): ApiRefusal {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string }
    return new ApiRefusal(status, reason ?? '', message ?? `HTTP ${status}`)
  } catch {
    return new ApiRefusal(status, '', `HTTP ${status}: ${text.slice(0, 200)}`)
  }
}
