// The sidecar: mirrors /workspace/output to the server and relays the CLI's hooks. `notify` is the hook's end of it.
import { readFileSync } from 'node:fs'
import { hookSocket, readSidecarConfig } from './config.ts'
import { Journal } from './journal.ts'
import { notify } from './notify.ts'
import { Relay } from './relay.ts'
import { Uploader } from './uploader.ts'
import { Watcher } from './watcher.ts'

const REVOKED = 77

function log(message: string, fields: Record<string, unknown> = {}): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`)
}

function run(): void {
  const config = readSidecarConfig()
  const token = readFileSync(config.tokenFile, 'utf8').trim()
  const journal = new Journal(config.journal)
  const end = (code: number) => {
    uploader.stop()
    relay[Symbol.dispose]()
    watcher[Symbol.dispose]()
    journal[Symbol.dispose]()
    process.exit(code)
  }
  const uploader = new Uploader({ root: config.watchDir, internalUrl: config.internalUrl, token, journal, log, onRevoked: () => end(REVOKED) })
  const relay = new Relay({ socket: config.socket, internalUrl: config.internalUrl, token })
  const watcher = new Watcher(config.watchDir, journal, () => uploader.wake())
  uploader.wake()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(0))
  log('watching', { folder: config.watchDir })
}

if (process.argv.includes('notify')) {
  await notify(hookSocket())
  process.exit(0)
}
run()
