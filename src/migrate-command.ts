// The `migrate` subcommand against the configured or the embedded database.
import type { Config } from './config.ts'
import { openDatabase } from './db/client.ts'
import { startEmbedded } from './db/embedded.ts'
import { migrateDown, migrateStatus, migrateUp } from './db/migrate.ts'
import { waitForDatabase } from './db/wait.ts'
import { createLogger } from './lib/logger.ts'
import { seedAdmin } from './seed.ts'
import { Settings } from './settings/settings.ts'
import { Invitations } from './users/invitations.ts'
import { Passwords } from './users/passwords.ts'
import { RegistrationLimits } from './users/registration-limits.ts'
import { SignInLimits } from './users/sign-in-limits.ts'
import { Users } from './users/users.ts'

const ACTIONS = ['up', 'down', 'status', 'seed'] as const

/** Runs one action; undefined when there is no such action. Resolves to the exit code. */
export function runMigrate(config: Config, action: string): Promise<number> | undefined {
  const known = ACTIONS.find((name) => name === action)
  return known && run(config, known)
}

async function run(config: Config, action: (typeof ACTIONS)[number]): Promise<number> {
  const logger = createLogger(config.log)
  const server = config.database.url ? undefined : await startEmbedded({ dataDir: config.dataDir, logger })
  const url = config.database.url ?? server?.url ?? ''
  try {
    await waitForDatabase({ url, waitMs: config.database.startWaitMs, logger })
    if (action === 'up') await migrateUp({ url, logger })
    else if (action === 'down') await migrateDown({ url, logger })
    else if (action === 'status') await printStatus(url)
    else await seed(config, url)
    return 0
  } finally {
    await server?.stop()
  }
}

async function printStatus(url: string): Promise<void> {
  for (const { version, name, appliedAt } of await migrateStatus({ url })) {
    process.stdout.write(`${String(version).padStart(4, '0')}  ${name.padEnd(40)}  ${appliedAt ? `applied ${appliedAt.toISOString()}` : 'pending'}\n`)
  }
}

async function seed(config: Config, url: string): Promise<void> {
  const database = openDatabase({ ...config.database, url, logger: createLogger(config.log) })
  try {
    const { db } = database
    const users = new Users({
      db,
      settings: new Settings(db),
      passwords: new Passwords(config.auth.minPasswordLength),
      limits: new SignInLimits(),
      registrations: new RegistrationLimits(),
      invitations: new Invitations(db),
    })
    await seedAdmin({ users, config })
  } finally {
    await database.close()
  }
}
