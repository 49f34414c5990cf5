// What a disk can do to a sandbox: be full, and hold trees that are made to be hard to remove.
import { existsSync } from 'node:fs'
import { AppError } from '../../lib/errors.ts'

const REMOVE_MS = 10 * 60_000

/** The sentence for an error that means a full disk; undefined for every other error. */
export function asDiskFull(error: unknown): AppError | undefined {
  const { code, message } = error as NodeJS.ErrnoException
  if (code !== 'ENOSPC' && code !== 'EDQUOT' && !message?.includes('No space left on device')) return undefined
  return new AppError('unavailable', 'disk_full', 'The server’s disk is full, so the sandbox could not be made. Ask an admin to free some space, then start the agent again.', {
    cause: error,
  })
}

/**
 * Removes a sandbox's folders. An agent may have made paths longer than the system can name, and folders that even their
 * owner may not enter: the system's own tools walk step by step, and follow no links. Throws Error when something is left.
 */
export async function removeTree(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  if (await succeeds(['rm', '-rf', '--', folder])) return
  await succeeds(['chmod', '-R', 'u+rwx', '--', folder])
  if (!(await succeeds(['rm', '-rf', '--', folder]))) throw new Error(`${folder} could not be removed whole`)
}

async function succeeds(command: string[]): Promise<boolean> {
  const child = Bun.spawn(command, { cwd: '/', stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', timeout: REMOVE_MS })
  return (await child.exited) === 0
}
