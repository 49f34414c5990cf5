// A portal whose sandboxes come from images, as a process of its own that a test can kill.
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { type Portal, startPortal } from '../../src/server.ts'
import { ImageRuntime } from './image-runtime.ts'

const config = readConfig()
const sidecarBin = join(import.meta.dir, '..', '..', 'dist', 'sidecar')
let portal: Portal | undefined
const runtime = new ImageRuntime({ ...config.runtime, dataDir: config.dataDir, sidecarBin, logger: silentLogger, internalUrl: () => portal?.internalUrl ?? '' })
portal = await startPortal(config, { logger: silentLogger, runtime })
const password = config.auth.adminPassword
if (password) await portal.context.users.seedAdmin(password)
process.stdout.write(`ready at ${portal.url}\n`)
process.on('SIGTERM', () => void portal?.stop().then(() => process.exit(0)))
