// The one table from kinds of failure to HTTP statuses, and the answers that carry them.
import { AppError, type ErrorKind, invalidFields } from '../lib/errors.ts'

export const STATUS: Record<ErrorKind, number> = {
  malformed: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  stale: 412,
  too_large: 413,
  unsupported: 415,
  invalid: 422,
  too_many: 429,
  internal: 500,
  unavailable: 503,
  disk_full: 507,
}

/** The shape of every JSON error. */
export interface ErrorBody {
  error: { code: string; message: string; request_id: string; fields?: Record<string, string> }
  /** With 412 only: what is stored now. */
  current?: unknown
}

/** What anything thrown becomes for the person who waits: an AppError stays, a framework refusal is translated, the rest is a bug. */
export function toAppError(error: unknown, frameworkCode?: string): AppError {
  if (error instanceof AppError) return error
  // The framework wraps what a body parser throws.
  if (error instanceof Error && error.cause instanceof AppError) return error.cause
  switch (frameworkCode) {
    case 'NOT_FOUND':
      return new AppError('not_found', 'not_found', 'This page is not here. It may have been moved or deleted.')
    case 'PARSE':
      return new AppError('malformed', 'invalid_json', 'The request body cannot be read.', { cause: error })
    case 'VALIDATION':
      return fromValidation(error)
    case 'INVALID_COOKIE_SIGNATURE':
      return new AppError('unauthorized', 'unauthorized', 'Sign in to go on.')
    default:
      return new AppError('internal', 'internal', 'Something went wrong. The fault is ours and has been logged.', { cause: error })
  }
}

/** JSON answer with request id; 429 and 503 carry Retry-After. */
export function jsonError(error: AppError, requestId: string): Response {
  const body: ErrorBody = {
    error: { code: error.code, message: error.message, request_id: requestId, ...(error.fields ? { fields: error.fields } : {}) },
    ...(error.current === undefined ? {} : { current: error.current }),
  }
  return Response.json(body, { status: STATUS[error.kind], headers: retryHeader(error) })
}

export function retryHeader(error: AppError): Record<string, string> {
  const seconds = error.retryAfterS ?? (error.kind === 'unavailable' ? 2 : undefined)
  return seconds === undefined ? {} : { 'retry-after': String(seconds) }
}

interface SchemaFault {
  path: string
  message: string
  summary?: string
  type?: number
  schema?: { additionalProperties?: unknown }
}

function fromValidation(error: unknown): AppError {
  const all = (error as { all?: SchemaFault[] }).all ?? []
  const fields: Record<string, string> = {}
  let unknown = false
  for (const fault of all.slice(0, 20)) {
    const name = fault.path?.split('/').filter(Boolean).join('.') || 'body'
    const surplus = /unexpected property/i.test(`${fault.message} ${fault.summary ?? ''}`)
    unknown ||= surplus
    fields[name] ??= surplus ? 'This field is not known here.' : (fault.summary ?? fault.message ?? 'This value is not right.')
  }
  if (Object.keys(fields).length === 0) fields.body = 'Some values are missing or of the wrong type.'
  return invalidFields(fields, unknown ? 'unknown_field' : 'validation_failed')
}
