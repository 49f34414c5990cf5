// What the cluster refuses or does not answer, as sentences for whoever sees them.
import { AppError } from '../../lib/errors.ts'
import { ApiRefusal } from './client.ts'

/** Passes on what `work` comes to; what it throws becomes an AppError. */
export async function spoken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asAppError(error)
  }
}

/** The cluster did not answer. */
export function unreachable(cause?: unknown): AppError {
  return new AppError('unavailable', 'cluster_unreachable', 'The cluster does not answer at the moment. Try again in a minute; if it stays so, ask an admin to look at it.', {
    cause,
  })
}

/** Any failure of a call to the cluster, in words. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (!(error instanceof ApiRefusal)) return unreachable(error)
  const words =
    error.status === 401 || error.status === 403
      ? 'The cluster does not let the portal manage sandboxes. Ask an admin to look at the portal’s role.'
      : 'The cluster refused the sandbox. Ask an admin to look at the server’s log.'
  return new AppError('unavailable', 'cluster_refused', words, { cause: error })
}
