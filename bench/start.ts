// The compiled server: from its start to its first answer, on an external and on its own database, and what it holds when idle.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded.ts'
import { silentLogger } from '../src/lib/logger.ts'
import { freePort } from '../tests/support/free-port.ts'
import { verdict } from './support/figures.ts'
import { quantile, table } from './support/terminal.ts'

const ROOT = join(import.meta.dir, '..')
const ROUNDS = 7
const IDLE_MS = 10_000
const EXTERNAL_MS = 300
const EMBEDDED_MS = 1500
const RSS_MIB = 100

const build = Bun.spawnSync([process.execPath, join(ROOT, 'scripts', 'build.ts')], { cwd: ROOT, stdout: 'inherit', stderr: 'inherit' })
if (build.exitCode !== 0) process.exit(1)
const folder = mkdtempSync(join(tmpdir(), 'sac-bench-'))
const database = await startEmbedded({ dataDir: join(folder, 'database'), logger: silentLogger })
try {
  const external = await starts(join(folder, 'external'), { DATABASE_URL: database.url })
  const embedded = await starts(join(folder, 'embedded'), {})
  const bare = await bareStarts(database.url)
  const beside = (ms: number) => `${(ms / quantile(bare, 0.5)).toFixed(1)} x of a bare server (${quantile(bare, 0.5).toFixed(0)} ms)`
  const row = ([name = '', value = '', limit = '', word = '']: string[], column = '') => [name, value, limit, column, word]
  const [onExternal, onEmbedded] = [quantile(external.ready.slice(1), 0.5), quantile(embedded.ready.slice(1), 0.5)]
  table(`compiled server, ${ROUNDS - 1} starts each`, [
    row(verdict('ready on an external database', onExternal, EXTERNAL_MS, 'ms'), beside(onExternal)),
    row(verdict('ready on its own database', onEmbedded, EMBEDDED_MS, 'ms'), beside(onEmbedded)),
    ['first start with its own database', `${(embedded.ready[0] ?? 0).toFixed(0)} ms`, '', 'makes the cluster', ''],
    row(verdict('resident when idle, external', external.rssMiB, RSS_MIB, 'MiB')),
    row(verdict('resident when idle, own', embedded.rssMiB, RSS_MIB, 'MiB'), 'without the database'),
  ])
} finally {
  await database.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function starts(dataDir: string, env: Record<string, string>): Promise<{ ready: number[]; rssMiB: number }> {
  const ready: number[] = []
  let rssMiB = 0
  for (let round = 0; round < ROUNDS; round++) {
    const port = freePort()
    const began = performance.now()
    const child = Bun.spawn([join(ROOT, 'dist', 'sac')], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        DATA_DIR: dataDir,
        API_GATEWAY_PORT: String(port),
        INTERNAL_PORT: String(freePort()),
        LOG_LEVEL: 'warn',
        ADMIN_PASSWORD: 'a phrase for measuring',
        CLAUDE_BIN: '/bin/bash',
        ...env,
      },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'inherit',
    })
    await answers(`http://127.0.0.1:${port}/ready`)
    ready.push(performance.now() - began)
    if (round === ROUNDS - 1) {
      await Bun.sleep(IDLE_MS)
      rssMiB = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024
    }
    child.kill('SIGTERM')
    await child.exited
  }
  return { ready, rssMiB }
}

/** Bun with nothing but a listener that asks the same database. */
async function bareStarts(url: string): Promise<number[]> {
  const script = join(ROOT, 'bench', 'support', 'plain-ready.ts')
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const port = freePort()
    const began = performance.now()
    const child = Bun.spawn([process.execPath, script, url, String(port)], { cwd: ROOT, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
    await answers(`http://127.0.0.1:${port}/`)
    times.push(performance.now() - began)
    child.kill()
    await child.exited
  }
  return times
}

async function answers(url: string): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await Bun.sleep(2)) {
    const ok = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ok) return
  }
  throw new Error(`${url} did not answer`)
}
