// Every failure that a person may read: a kind (decides the HTTP status), a machine code and a sentence.

/** What went wrong in general; `http/errors.ts` maps each kind to one HTTP status. */
export type ErrorKind =
  | 'malformed' // 400: cannot be parsed
  | 'unauthorized' // 401: no valid login
  | 'forbidden' // 403: a login, but not the right
  | 'not_found' // 404: not there, or not yours
  | 'conflict' // 409: the state forbids it now
  | 'stale' // 412: somebody changed it first
  | 'too_large' // 413
  | 'unsupported' // 415
  | 'invalid' // 422: understood, but not acceptable
  | 'too_many' // 429
  | 'internal' // 500: a bug; never thrown on purpose
  | 'unavailable' // 503: a part we need is down
  | 'disk_full' // 507

export interface ErrorDetail {
  /** Sentences by field name, shown beside the field. */
  fields?: Record<string, string>
  /** What is stored now, for somebody whose change came too late. */
  current?: unknown
  /** Whole seconds after which a retry makes sense. */
  retryAfterS?: number
  cause?: unknown
}

/** A refusal with a sentence for the person who sees it. Anything else that is thrown is a bug. */
export class AppError extends Error {
  readonly fields?: Record<string, string>
  readonly current?: unknown
  readonly retryAfterS?: number

  /** @param code lower-case machine word such as `quota_exceeded`; stable, part of the API. */
  constructor(
    readonly kind: ErrorKind,
    readonly code: string,
    message: string,
    detail: ErrorDetail = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'AppError'
    this.fields = detail.fields
    this.current = detail.current
    this.retryAfterS = detail.retryAfterS
  }
}

/** The one answer for objects that do not exist and for objects of somebody else. */
export function notFound(what: string): AppError {
  return new AppError('not_found', 'not_found', `${what} is not here. It may have been deleted, or it belongs to someone else.`)
}

/** One or several fields that cannot be accepted. */
export function invalidFields(fields: Record<string, string>, code = 'validation_failed'): AppError {
  const first = Object.values(fields)[0] ?? 'Some fields are not right.'
  return new AppError('invalid', code, first, { fields })
}

/** The program cannot start or go on; the message tells whoever runs it what to do. Shown without a stack. */
export class OperatorError extends Error {
  override name = 'OperatorError'
}
