// htmx with its extensions, and its events with the parts of their details that we use. Settings are in the page's head.
import htmx from 'htmx.org'
import 'htmx.org/dist/ext/hx-sse.js'
import 'htmx.org/dist/ext/hx-alpine-compat.js'

/** One request and its answer. Changing `swap`, `push` or `target` before the swap changes what happens. */
export interface RequestContext {
  sourceElement: HTMLElement
  target: HTMLElement | null
  swap: string
  push?: string
  title?: string
  text: string
  confirm?: string
  request: { method: string; action: string; headers: Record<string, string>; submitter?: HTMLElement | null }
  response: { status: number }
}

/** One part of a swap: the main one or a partial. */
export interface SwapTask {
  target: HTMLElement | string | null
  swapSpec: { style: string }
}

interface Details {
  'htmx:config:request': { ctx: RequestContext }
  'htmx:before:request': { ctx: RequestContext }
  'htmx:response:error': { ctx: RequestContext }
  'htmx:before:swap': { ctx: RequestContext; tasks: SwapTask[] }
  'htmx:after:swap': { ctx: RequestContext }
  'htmx:finally:request': { ctx: RequestContext }
  'htmx:confirm': { ctx: RequestContext; issueRequest(): void; dropRequest(): void }
  'htmx:error': { ctx?: RequestContext; error: Error }
  'htmx:sse:error': { status?: number }
  'htmx:sse:after:connection': object
  'htmx:sse:close': object
}

/** Hears an event of htmx, wherever in the page it happens. */
export function onHtmx<K extends keyof Details>(name: K, react: (detail: Details[K], event: Event) => void): void {
  document.addEventListener(name, (event) => react((event as CustomEvent<Details[K]>).detail, event))
}

/** Loads a part of the page. Resolves when it is in place. */
export function load(url: string, source: HTMLElement, target: HTMLElement, swap: string): Promise<void> {
  return htmx.ajax('GET', url, { source, target, swap }) as Promise<void>
}
