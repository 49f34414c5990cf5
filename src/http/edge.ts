// The outermost layer of both listeners: request ids, host check, headers, bodies, errors and the access log.
import { Elysia } from 'elysia'
import { AppError, invalidFields } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { readBody } from './body.ts'
import { loginCookie } from './cookies.ts'
import { jsonError, toAppError } from './errors.ts'
import { hostAllowed, type OriginRules } from './origin.ts'
import { methodsOf, type PolicyTable } from './policies.ts'
import { COMMON_HEADERS, HSTS } from './security-headers.ts'

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const MAX_URL = 16 * 1024

export interface EdgeOptions {
  logger: Logger
  rules: OriginRules
  /** Undefined on the internal listener, which has no browser in front of it. */
  checkHost: boolean
  tls: boolean
  /** Its routes, to tell a wrong method from a wrong path. */
  routes: PolicyTable
  /** Paths whose handlers read the raw body themselves. */
  rawPaths?: readonly string[]
  /** Turns a failure into a page or fragment for browsers; JSON when it returns undefined. */
  page?: (error: AppError, request: Request, requestId: string) => Response | Promise<Response> | undefined
}

const requestIds = new WeakMap<Request, string>()

/** Id of a request, the same in its answer, its log lines and its error page. */
export function requestIdOf(request: Request): string {
  const known = requestIds.get(request)
  if (known) return known
  const id = `req_${Bun.randomUUIDv7('base64url').slice(0, 18)}`
  requestIds.set(request, id)
  return id
}

/** Plugin for the root of an app. */
export function edge(options: EdgeOptions) {
  const { logger, tls, routes, rawPaths = [], page } = options
  return new Elysia({ name: 'edge' })
    .onRequest(({ request, set }) => {
      Object.assign(set.headers, COMMON_HEADERS)
      set.headers['x-request-id'] = requestIdOf(request)
      if (tls) set.headers['strict-transport-security'] = HSTS
      admit(request, options)
    })
    .onParse({ as: 'global' }, ({ request }) => (rawPaths.includes(pathOf(request)) ? null : readBody(request, pathOf(request).startsWith('/api/') ? 'json' : 'form')))
    .onError({ as: 'global' }, async ({ error, code, request, set }) => {
      const failure = misusedMethod(toAppError(error, String(code)), request, routes)
      const requestId = requestIdOf(request)
      report(logger, failure, request, requestId)
      const answer = (await page?.(failure, request, requestId)) ?? jsonError(failure, requestId)
      const status = SPECIAL_STATUS[failure.code] ?? answer.status
      const headers = new Headers(answer.headers)
      for (const [name, value] of Object.entries({ ...COMMON_HEADERS, ...consequences(failure, request, options), 'x-request-id': requestId })) {
        if (!headers.has(name)) headers.set(name, value)
      }
      set.status = status
      return new Response(answer.body, { status, headers })
    })
}

// What is refused before anything is looked up.
function admit(request: Request, { checkHost, rules }: EdgeOptions): void {
  const { method, url, headers } = request
  if (!METHODS.has(method)) throw methodNotAllowed()
  if (url.length > MAX_URL) throw new AppError('malformed', 'url_too_long', 'The URL is too long.')
  if (checkHost && !hostAllowed(headers.get('host'), rules))
    throw new AppError('malformed', 'misdirected', 'This portal does not answer to that name. An admin can set PUBLIC_URL.')
  const twice = repeatedParameter(url)
  if (twice !== undefined) throw invalidFields({ [twice]: 'This parameter is there twice.' })
}

/** Two readers of one address could take different ones of two values. */
function repeatedParameter(url: string): string | undefined {
  const query = url.indexOf('?')
  if (query < 0 || !url.includes('&', query)) return undefined
  const names = [...new URLSearchParams(url.slice(query + 1)).keys()]
  return names.find((name, at) => names.indexOf(name) !== at)
}

function methodNotAllowed(): AppError {
  return new AppError('malformed', 'method_not_allowed', 'This method is not used here.')
}

// A path that is there for another method is no missing page.
function misusedMethod(failure: AppError, request: Request, routes: PolicyTable): AppError {
  const methods = failure.kind === 'not_found' ? methodsOf(pathOf(request), routes) : []
  return methods.length > 0 && !methods.includes(request.method) ? methodNotAllowed() : failure
}

/** Headers that follow from a refusal, whatever its body looks like. */
function consequences(failure: AppError, request: Request, { routes, tls }: EdgeOptions): Record<string, string> {
  const headers: Record<string, string> = tls ? { 'strict-transport-security': HSTS } : {}
  if (failure.code === 'method_not_allowed') headers.allow = methodsOf(pathOf(request), routes).join(', ') || [...METHODS].join(', ')
  // A cookie that opens nothing would be sent again with every request.
  if (failure.code === 'invalid_token' && request.headers.has('cookie')) headers['set-cookie'] = loginCookie('', 0, { secure: tls })
  // Whatever of the body is still to come would be read as the next request.
  if (failure.kind === 'too_large' || failure.code === 'request_timeout') headers.connection = 'close'
  return headers
}

// Refusals of the transport rather than of the product; their statuses have no kind of their own.
const SPECIAL_STATUS: Record<string, number> = {
  upgrade_required: 426,
  range_not_satisfiable: 416,
  method_not_allowed: 405,
  url_too_long: 414,
  misdirected: 421,
  request_timeout: 408,
}

/** Logs a refusal as loud as its kind deserves. */
export function report(logger: Logger, failure: AppError, request: Request, requestId: string): void {
  const fields = { requestId, method: request.method, path: pathOf(request), code: failure.code }
  if (failure.kind === 'internal') logger.error('request failed', { ...fields, error: failure.cause ?? failure })
  else if (failure.kind === 'unavailable' || failure.kind === 'disk_full') logger.warn('request refused', { ...fields, error: failure.cause })
  else logger.debug('request refused', { ...fields, cause: failure.cause })
}

/** Path of a request without its query. */
export function pathOf(request: Request): string {
  const start = request.url.indexOf('/', 8)
  const end = request.url.indexOf('?', start)
  return start < 0 ? '/' : request.url.slice(start, end < 0 ? undefined : end)
}
