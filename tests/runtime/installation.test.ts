import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installEnvironment, readConfig } from '../../src/config.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { CLAUDE_VERSION, ClaudeCli } from '../../src/runtime/local/cli.ts'

setDefaultTimeout(60_000)

const NAME = `@anthropic-ai/claude-code-${process.platform}-${process.arch}`
let folder: string
let tarball: Buffer
/** A registry on loopback that can be slow, so that an installation can be interrupted. The real one is used by the story. */
let registry: ReturnType<typeof Bun.serve>
let downloads = 0
let hold: Promise<void> | undefined
const environment = installEnvironment()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sac-test-installation-'))
  mkdirSync(join(folder, 'package'))
  writeFileSync(join(folder, 'package', 'package.json'), JSON.stringify({ name: NAME, version: CLAUDE_VERSION }))
  writeFileSync(join(folder, 'package', 'claude'), '#!/bin/sh\necho claude\n')
  chmodSync(join(folder, 'package', 'claude'), 0o755)
  expect(Bun.spawnSync(['tar', '-czf', 'package.tgz', 'package'], { cwd: folder }).exitCode).toBe(0)
  tarball = readFileSync(join(folder, 'package.tgz'))
  registry = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (request.url.endsWith('.tgz')) {
        downloads++
        await hold
        return new Response(new Uint8Array(tarball))
      }
      const dist = { tarball: `${registry.url}package.tgz`, integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}` }
      return Response.json({ name: NAME, 'dist-tags': { latest: CLAUDE_VERSION }, versions: { [CLAUDE_VERSION]: { name: NAME, version: CLAUDE_VERSION, dist } } })
    },
  })
})
// An empty cache each time: what npm has it does not load.
beforeEach(() => useRegistry(String(registry.url)))
afterAll(async () => {
  await registry.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

function useRegistry(url: string): void {
  environment.npm_config_registry = url
  environment.npm_config_cache = mkdtempSync(join(folder, 'cache-'))
}

const dataDirectory = () => mkdtempSync(join(folder, 'data-'))
const cliOf = (dataDir: string, claudeBin?: string) => new ClaudeCli({ dataDir, claudeBin, installEnvironment: environment, logger: silentLogger })
const ignore = () => {}

test('first starts at once install it once, everybody hears the progress, and a later start finds it', async () => {
  const dataDir = dataDirectory()
  const cli = cliOf(dataDir)
  const before = downloads
  const heard = [0, 0, 0]
  const paths = await Promise.all(heard.map((_, at) => cli.ensure(() => heard.splice(at, 1, (heard[at] ?? 0) + 1))))
  expect(new Set(paths).size).toBe(1)
  expect(downloads - before).toBe(1)
  expect(Math.min(...heard)).toBeGreaterThan(0)
  expect(Bun.spawnSync([paths[0] ?? '']).stdout.toString()).toBe('claude\n')
  expect(readdirSync(join(dataDir, 'claude'))).toEqual([CLAUDE_VERSION])
  await cliOf(dataDir).ensure(() => {
    throw new Error('nothing to install')
  })
})

test('a process that is killed while it installs leaves nothing that a later start would use', async () => {
  const dataDir = dataDirectory()
  let release = ignore
  hold = new Promise((resolve) => {
    release = resolve
  })
  const before = downloads
  const child = installing(dataDir)
  await until(() => downloads > before, { timeoutMs: 20_000, what: 'a download' })
  process.kill(-child.pid, 'SIGKILL')
  await child.exited
  release()
  hold = undefined
  const left = readdirSync(join(dataDir, 'claude'))
  expect(left).toHaveLength(1)
  expect(left[0]).toStartWith('.installing-')
  utimesSync(join(dataDir, 'claude', left[0] ?? ''), new Date(0), new Date(0))
  const path = await cliOf(dataDir).ensure(ignore)
  expect(Bun.spawnSync([path]).stdout.toString()).toBe('claude\n')
  expect(readdirSync(join(dataDir, 'claude'))).toEqual([CLAUDE_VERSION])
})

test('without a network the reason is named with what to do, soon, and the next start tries again', async () => {
  const dataDir = dataDirectory()
  const gone = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const url = String(gone.url)
  await gone.stop(true)
  useRegistry(url)
  const cli = cliOf(dataDir)
  await expect(cli.ensure(ignore)).rejects.toMatchObject({
    code: 'claude_not_installed',
    message: expect.stringMatching(/(ECONNREFUSED|ConnectionRefused).*Check the network.*CLAUDE_BIN/s),
  })
  expect(existsSync(join(dataDir, 'claude', CLAUDE_VERSION))).toBe(false)
  useRegistry(String(registry.url))
  expect(await cli.ensure(ignore)).toEndWith('/claude')
})

test('a machine without npm installs it all the same', async () => {
  const dataDir = dataDirectory()
  const before = downloads
  expect(await installing(dataDir, { PATH: mkdtempSync(join(folder, 'no-programs-')) }).exited).toBe(0)
  expect(downloads - before).toBe(1)
  expect(Bun.spawnSync([await cliOf(dataDir).ensure(ignore)]).stdout.toString()).toBe('claude\n')
})

test.each(['/nowhere/claude', 'no-such-program', join(import.meta.dir, 'installation.test.ts')])('CLAUDE_BIN that cannot be run is named: %s', async (claudeBin) => {
  await expect(cliOf(dataDirectory(), claudeBin).ensure(ignore)).rejects.toMatchObject({ code: 'claude_missing', message: expect.stringContaining(claudeBin) })
})

test('npm is given its own settings and none of the portal’s secrets', () => {
  const secrets = { JWT_SECRET: 'x', SECRET_KEYS: 'x', ADMIN_PASSWORD: 'x', DATABASE_URL: 'x', DB_PASSWORD: 'x', REDIS_URL: 'x', S3_SECRET_ACCESS_KEY: 'x' }
  const wanted = { PATH: '/usr/bin', npm_config_registry: 'http://127.0.0.1:1/', HTTPS_PROXY: 'http://127.0.0.1:2', NODE_EXTRA_CA_CERTS: '/ca.pem' }
  expect(installEnvironment({ ...secrets, ...wanted })).toEqual(wanted)
  expect(readConfig(wanted).runtime.installEnvironment).toEqual(wanted)
})

/** An installation in a process group of its own. */
function installing(dataDir: string, env: Record<string, string> = {}) {
  const script = join(folder, 'install.ts')
  writeFileSync(
    script,
    `import { ClaudeCli } from '${join(import.meta.dir, '../../src/runtime/local/cli.ts')}'
import { installEnvironment } from '${join(import.meta.dir, '../../src/config.ts')}'
await new ClaudeCli({ dataDir: process.argv.at(-1), installEnvironment: installEnvironment(), logger: { info() {} } }).ensure(() => {})`,
  )
  return Bun.spawn([process.execPath, script, dataDir], { env: { ...environment, ...env }, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit', detached: true })
}
