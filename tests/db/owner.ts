// A process that owns an embedded database until it is killed; says `ready` when the server answers.
import { startEmbedded } from '../../src/db/embedded.ts'
import { silentLogger } from '../../src/lib/logger.ts'

const server = await startEmbedded({ dataDir: process.argv[2] ?? '', logger: silentLogger })
process.stdout.write('ready\n')
await new Promise((resolve) => process.on('SIGTERM', resolve))
await server.stop()
