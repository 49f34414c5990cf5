// Patience at the start: a database that comes up beside us may need a moment.
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/logger.ts'
import { connect } from './client.ts'
import { translate } from './failures.ts'

const PAUSE_MS = 500

/** Resolves when the database answers, and after `waitMs` in any case: whoever comes next says what is wrong with it. */
export async function waitForDatabase({ url, waitMs, logger }: { url: string; waitMs: number; logger: Logger }): Promise<void> {
  const deadline = performance.now() + waitMs
  let told = false
  while (performance.now() < deadline && !(await answers(url))) {
    if (!told) logger.info('waiting for the database', { seconds: Math.round(waitMs / 1000) })
    told = true
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

async function answers(url: string): Promise<boolean> {
  const sql = connect(url, { max: 1, connect_timeout: 2, onnotice() {} })
  try {
    await sql`select 1`
    return true
  } catch (error) {
    // What is no failure of the connection will not go away by itself.
    return !(translate(error) instanceof AppError)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
