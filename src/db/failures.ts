// What a failure of PostgreSQL means for the person who waits.
import { AppError } from '../lib/errors.ts'

// Of the server's own codes: it goes down or comes up, lets nobody in (wrong password, no such database), has no room for us.
const UNREACHABLE = /^(ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND|EACCES|CONNECT|57P0[1-5]|08|28|3D000|53[034])/

/** The sentence for a failure of the database itself; anything else (a broken constraint, a bug) comes back as it is. */
export function translate(error: unknown): unknown {
  if (error instanceof AppError) return error
  const code = codeOf(error)
  if (code === '53100')
    return new AppError('disk_full', 'disk_full', 'The disk of the database is full. Nothing was changed; ask an admin to make room.', { cause: error, retryAfterS: 30 })
  if (code === '57014')
    return new AppError('unavailable', 'database_slow', 'The database took too long to answer. Nothing was changed; try again in a moment.', { cause: error, retryAfterS: 2 })
  if (code === '40001' || code === '40P01' || code === '55P03' || code === '25P03')
    return new AppError('unavailable', 'database_busy', 'Somebody changed the same thing at the same time. Nothing was changed; try again.', { cause: error, retryAfterS: 1 })
  // A NUL in a text: no rule of ours had thought of that field, and it is still no fault of the database.
  if (code === '22021' || code === '22P05')
    return new AppError('invalid', 'validation_failed', 'A text holds a character that cannot be stored. Leave out control characters.', { cause: error })
  return UNREACHABLE.test(code) ? unreachable(error) : error
}

/** The database cannot be reached at all. */
export function unreachable(cause: unknown): AppError {
  return new AppError('unavailable', 'database_down', 'The database cannot be reached right now. Try again in a moment.', { cause, retryAfterS: 2 })
}

// Drizzle wraps what the driver throws.
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  if (typeof code === 'string') return code
  return cause instanceof Error ? codeOf(cause) : ''
}
