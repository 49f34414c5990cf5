// A process that migrates a database up and ends; tests start several, or kill it half-way.
import { migrateUp } from '../../src/db/migrate.ts'
import { silentLogger } from '../../src/lib/logger.ts'

const [url = '', folder] = process.argv.slice(2)
const applied = await migrateUp({ url, folder, logger: silentLogger })
process.stdout.write(String(applied))
process.exit(0)
