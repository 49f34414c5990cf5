// The `maintenance` subcommand: the sweeps that every server also does by itself, once, with what they did as one line.
import { MemoryBus } from './bus/memory.ts'
import { type Config, ConfigError } from './config.ts'
import { openDatabase } from './db/client.ts'
import { waitForDatabase } from './db/wait.ts'
import { createLogger } from './lib/logger.ts'
import { Settings } from './settings/settings.ts'
import { openStorage } from './storage/open.ts'
import { sweepLogins } from './users/logins.ts'
import { Repeats } from './users/repeats.ts'
import { Outputs } from './workspace/outputs.ts'

/** Runs every sweep, each even when another one fails. Resolves to the exit code. */
export async function runMaintenance(config: Config): Promise<number> {
  const { url } = config.database
  // The embedded server belongs to the portal that runs it, which sweeps by itself.
  if (!url) throw new ConfigError('DATABASE_URL (or DB_HOST) is not set. Maintenance as a command is for portals with a database of their own; the others do it by themselves.')
  const logger = createLogger(config.log)
  await using disposing = new AsyncDisposableStack()
  await waitForDatabase({ url, waitMs: config.database.startWaitMs, logger })
  const database = openDatabase({ ...config.database, url, logger })
  disposing.defer(() => database.close())
  const storage = disposing.use(await openStorage(config))
  const bus = disposing.use(new MemoryBus())
  const { db } = database
  const outputs = new Outputs({ db, storage, bus, settings: new Settings(db) })
  const sweeps: Record<string, () => Promise<unknown>> = {
    logins: () => sweepLogins(db),
    requests: () => new Repeats(db).sweep(),
    removedFiles: () => outputs.sweepOrphans(),
    tombstones: () => outputs.forgetTombstones(),
    unknownObjects: () => outputs.sweepUnknown(),
    halfWritten: () => storage.sweep(),
  }
  const failed: string[] = []
  const began = performance.now()
  for (const [name, sweep] of Object.entries(sweeps)) {
    await sweep().catch((error: unknown) => {
      failed.push(name)
      logger.error('a sweep failed', { sweep: name, error })
    })
  }
  logger.info('maintenance is done', { sweeps: Object.keys(sweeps).length, failed, ms: Math.round(performance.now() - began) })
  return failed.length > 0 ? 1 : 0
}
