// Answers for browsers: whole pages with their policy, fragments for htmx, redirects that both understand.
import { randomToken } from '../lib/crypto.ts'
import { pagePolicy } from './security-headers.ts'

/** A fragment is wanted only when htmx says that it swaps a part of a page. */
export function wantsFragment(request: Request): boolean {
  return request.headers.get('hx-request-type') === 'partial'
}

/** Whether htmx made this request, for a part or for a whole page. */
export function isHtmx(request: Request): boolean {
  return request.headers.get('hx-request') === 'true'
}

/** A whole page; `render` gets the nonce for its scripts. */
export async function page(render: (nonce: string) => string | Promise<string>, status = 200, headers: Record<string, string> = {}): Promise<Response> {
  const nonce = randomToken(16)
  const body = await render(nonce)
  return new Response(body, { status, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy(nonce), vary: 'HX-Request-Type', ...headers } })
}

/** A part of a page. */
export function fragment(html: string, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(html, { status, headers: { 'content-type': 'text/html; charset=utf-8', vary: 'HX-Request-Type', ...headers } })
}

/** Sends the browser elsewhere after a form; htmx follows a 303 by itself when it swaps whole pages. */
export function redirect(path: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 303, headers: { location: path, ...headers } })
}

/** Makes htmx load a whole new page, whatever it was about to swap. */
export function htmxRedirect(path: string, status = 200): Response {
  return new Response(null, { status, headers: { 'hx-redirect': path } })
}
