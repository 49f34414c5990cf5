// The sidecar: mirrors /workspace/output to the server and relays the CLI's hooks. `notify` is the hook's end of it.
import { readFileSync, writeSync } from 'node:fs'
import type { Exposure } from '../src/internal/contract.ts'
import { createLogger } from '../src/lib/logger.ts'
import { hookSocket, leanEnvironment, readSidecarConfig } from './config.ts'
import { Journal } from './journal.ts'
import { watchNetwork } from './knock.ts'
import { notify } from './notify.ts'
import { Relay } from './relay.ts'
import { codeRelease } from './release.ts'
import { ServerLink } from './server-link.ts'
import { Uploader } from './uploader.ts'
import { Warnings } from './warnings.ts'
import { Watcher } from './watcher.ts'

/** The server knows this token no more. */
const REVOKED = 77
const BAD_CONFIGURATION = 78
/** Whoever ends a sidecar waits three seconds before it kills. */
const FAREWELL_MS = 2000
const TIDY_MS = 1000

// The stream object of standard error alone costs two megabytes.
function write(line: string): void {
  try {
    writeSync(2, line)
  } catch {
    // @NOTE whoever read the log is gone; the mirror goes on.
  }
}

/** Begins again as the same process with the environment that suits it; it is read before any of this runs. */
function becomeLean(): void {
  const isCompiled = Bun.main.startsWith('/$bunfs/')
  const environment = leanEnvironment()
  if (isCompiled && environment) process.execve?.(process.execPath, [process.execPath], environment)
}

function run(): void {
  const config = readSidecarConfig()
  const log = createLogger({ level: config.logLevel, format: 'json', write })
  const warnings = new Warnings(log)
  const server = new ServerLink({ internalUrl: config.internalUrl, token: readFileSync(config.tokenFile, 'utf8').trim() })
  const journal = new Journal(config.journal)
  const end = (code: number) => {
    uploader.stop()
    relay[Symbol.dispose]()
    watcher[Symbol.dispose]()
    journal[Symbol.dispose]()
    process.exit(code)
  }
  const revoked = () => {
    log.info('the sandbox token is no longer valid')
    end(REVOKED)
  }
  const uploader = new Uploader({ root: config.watchDir, journal, server, log, warnings, lookAt: (path) => watcher.lookAt(path), onRevoked: revoked })
  const relay = new Relay({ socket: config.socket, server, log })
  const watcher = new Watcher({ root: config.watchDir, journal, warnings, onChange: () => uploader.wake() })
  uploader.wake()
  tidyAfterWork(uploader)
  let isEnding = false
  const farewell = async () => {
    if (isEnding) return end(0)
    isEnding = true
    // What was written a moment ago still gets its chance; the rest is in the journal.
    const deadline = performance.now() + FAREWELL_MS
    setTimeout(() => end(0), FAREWELL_MS)
    await watcher.settle()
    await uploader.drain(deadline)
    end(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void farewell())
  const report = async (network: Exposure) => (await server.exposure({ network })).ok
  if (config.closedAddress) void watchNetwork({ address: config.closedAddress, serverAnswers: () => server.answers(), report, log })
  log.info('watching', { folder: config.watchDir })
}

/** Gives back what a storm of files took, once it is over: there may be a sidecar for every agent of a machine. */
function tidyAfterWork(uploader: Uploader): void {
  const releaseCode = codeRelease()
  let seen = uploader.ended
  // The start itself took much that is not needed again.
  let untidy = true
  setInterval(() => {
    const isWorking = uploader.ended !== seen
    seen = uploader.ended
    if (!isWorking && untidy) {
      Bun.gc(true)
      Bun.shrink()
      releaseCode()
    }
    untidy = isWorking
  }, TIDY_MS)
}

if (process.argv.includes('notify')) {
  await notify(hookSocket())
  process.exit(0)
}
try {
  becomeLean()
  run()
} catch (error) {
  createLogger({ level: 'error', format: 'json', write }).error('the sidecar cannot start', { error: String(error) })
  process.exit(BAD_CONFIGURATION)
}
