// The program: `serve` (default), `migrate up|down|status|seed`, `maintenance`. Everything else is elsewhere.
import { type Config, readConfig } from './config.ts'
import { AppError, OperatorError } from './lib/errors.ts'
import { redact } from './lib/logger.ts'
import { runMaintenance } from './maintenance-command.ts'
import { runMigrate } from './migrate-command.ts'
import { seedAdmin } from './seed.ts'
import { startPortal } from './server.ts'

const USAGE = `Usage: sac [serve]                          start the portal (default)
       sac migrate up|down|status|seed      change or look at the database
       sac maintenance                      sweep once: ended logins, removed files, forgotten objects`

async function main(args: string[]): Promise<number> {
  const [command = 'serve', action = '', ...rest] = args
  if (rest.length > 0 || (command !== 'migrate' && action !== '')) return usage()
  if (command === 'serve') return serve(readConfig())
  if (command === 'migrate') return runMigrate(readConfig(), action) ?? usage()
  if (command === 'maintenance') return runMaintenance(readConfig())
  return usage()
}

async function serve(config: Config): Promise<number> {
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal))
  })
  const portal = await startPortal(config)
  await seedAdmin(portal.context, portal.url)
  portal.context.logger.info('the portal is ready', { url: config.http.publicUrl ?? portal.url, ms: Math.round(performance.now()) })
  const signal = await stopped
  portal.context.logger.info('stopping', { signal })
  await portal.stop()
  return 0
}

function usage(): number {
  process.stderr.write(`${USAGE}\n`)
  return 2
}

// A fault that nobody caught belongs to one request or one clock; everybody else's terminals go on. Rows are the truth, so nothing is lost by it.
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (reason: unknown) => {
    const error = redact(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason))
    process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level: 'error', message: `caught nowhere: ${event}`, error })}\n`)
  })
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text = error instanceof OperatorError || error instanceof AppError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stderr.write(`sac: ${text}\n`)
    process.exit(1)
  },
)
