// Who makes a request: every route is public, for signed-in people, or for admins, and says so by the plugin it uses.
import { Elysia } from 'elysia'
import { AppError } from '../lib/errors.ts'
import type { Identity, Logins } from '../users/logins.ts'
import { cookieValues, loginCookieName } from './cookies.ts'
import { clientAddress, type OriginRules, sameSite } from './origin.ts'
import { guard } from './policies.ts'

/** What the edge knows about itself. */
export interface EdgeRules extends OriginRules {
  secureCookies: boolean
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])
const URL_TOKENS = ['token', 'access_token', 'jwt', 'auth']

/**
 * The identity of a request: a Bearer token, or the login cookie. Throws `unauthorized` without a valid one and
 * `forbidden` `csrf_failed` when another site made the browser send the cookie.
 */
export async function identify(request: Request, { logins, edge }: { logins: Logins; edge: EdgeRules }): Promise<Identity> {
  const query = request.url.indexOf('?')
  if (query >= 0 && URL_TOKENS.some((name) => new URLSearchParams(request.url.slice(query + 1)).has(name))) {
    throw new AppError('unauthorized', 'token_in_url', 'A token in a URL ends up in logs, so it is refused. Send it as an Authorization header.')
  }
  const bearer = /^Bearer +([\w.~+/=-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  const cookies = bearer ? [] : cookieValues(request.headers.get('cookie'), loginCookieName({ secure: edge.secureCookies }))
  const token = bearer ?? (cookies.length === 1 ? cookies[0] : undefined)
  const identity = token ? await logins.identify(token) : undefined
  if (!identity) throw new AppError('unauthorized', token || cookies.length > 1 ? 'invalid_token' : 'unauthorized', 'Sign in to go on.')
  if (!bearer && !SAFE.has(request.method) && !sameSite(request, edge)) throw csrfFailed()
  return identity
}

/** Refuses a cross-site request to a public route that changes something (sign-in, sign-up). */
export function refuseCrossSite(request: Request, edge: EdgeRules): void {
  if (!SAFE.has(request.method) && !request.headers.get('authorization') && request.headers.get('origin') !== null && !sameSite(request, edge)) throw csrfFailed()
}

/** For routes of signed-in people: gives handlers `user`, `loginId` and `address`. */
export function signedIn(deps: { logins: Logins; edge: EdgeRules }) {
  return new Elysia({ name: 'signed-in' }).derive(
    { as: 'scoped' },
    guard('signed in', async ({ request, server }: Arrival) => {
      const { user, loginId } = await identify(request, deps)
      return { user, loginId, address: clientAddress(server?.requestIP(request)?.address, request, deps.edge) }
    }),
  )
}

/** For routes of admins only. */
export function adminOnly(deps: { logins: Logins; edge: EdgeRules }) {
  return new Elysia({ name: 'admin-only' }).derive(
    { as: 'scoped' },
    guard('admin', async ({ request }: Arrival) => {
      const { user, loginId } = await identify(request, deps)
      if (user.role !== 'admin') throw new AppError('forbidden', 'forbidden', 'This is for admins.')
      return { user, loginId }
    }),
  )
}

/** For public routes: gives handlers `address` and refuses cross-site posts. */
export function publicAccess({ edge }: { edge: EdgeRules }) {
  return new Elysia({ name: 'public-access' }).derive(
    { as: 'scoped' },
    guard('public', ({ request, server }: Arrival) => {
      refuseCrossSite(request, edge)
      return { address: clientAddress(server?.requestIP(request)?.address, request, edge) }
    }),
  )
}

/** For public routes that only read and do not care who asks. */
export function everybody() {
  return new Elysia({ name: 'everybody' }).derive(
    { as: 'scoped' },
    guard('public', () => ({})),
  )
}

interface Arrival {
  request: Request
  server: Bun.Server<unknown> | null
}

function csrfFailed(): AppError {
  return new AppError('forbidden', 'csrf_failed', 'This request came from another site and was refused. Reload the page and try again.')
}
