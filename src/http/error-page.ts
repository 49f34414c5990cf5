// Failures as browsers see them: the sign-in page, a whole error page, or JSON for everything below /api.

import { ErrorPage } from '../../views/errors.tsx'
import type { AppError } from '../lib/errors.ts'
import { pathOf } from './edge.ts'
import { retryHeader, STATUS } from './errors.ts'
import type { Frames } from './frame.ts'
import { htmxRedirect, isHtmx, page, redirect } from './respond.ts'

const STATUS_BY_CODE: Record<string, number> = { misdirected: 421 }

/** Page for a failure; undefined leaves it to the JSON answer. */
export function errorPage({ frames }: { frames: Frames }) {
  return (error: AppError, request: Request, requestId: string): Response | Promise<Response> | undefined => {
    const path = pathOf(request)
    const wantsHtml = !path.startsWith('/api/') && !path.startsWith('/ws/') && /text\/html|^$|\*\/\*/.test(request.headers.get('accept') ?? '')
    if (!wantsHtml) return undefined
    if (error.kind === 'unauthorized') return isHtmx(request) ? htmxRedirect('/login', 401) : redirect(path === '/' ? '/login' : `/login?next=${encodeURIComponent(path)}`)
    const status = STATUS_BY_CODE[error.code] ?? STATUS[error.kind]
    return page((nonce) => ErrorPage({ frame: frames.of(nonce), status, message: error.message, requestId }), status, retryHeader(error))
  }
}
