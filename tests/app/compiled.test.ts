import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { emptyDatabase } from '../support/database.ts'

const ROOT = join(import.meta.dir, '..', '..')
const PASSWORD = 'the first phrase of the admin'

let folder: string
let database: string
beforeAll(async () => {
  const build = Bun.spawnSync([process.execPath, join(ROOT, 'scripts', 'build.ts')], { cwd: ROOT, stdout: 'pipe', stderr: 'pipe' })
  if (build.exitCode !== 0) throw new Error(build.stderr.toString())
  folder = mkdtempSync(join(tmpdir(), 'sac-compiled-'))
  // Away from the source tree: whatever it needs it must bring along.
  for (const name of ['sac', 'sidecar']) cpSync(join(ROOT, 'dist', name), join(folder, 'bin', name))
  database = await emptyDatabase()
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const running: Bun.Subprocess[] = []
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
})

function sac(args: string[], env: Record<string, string> = {}): Bun.Subprocess<'ignore', 'pipe', 'pipe'> {
  const child = Bun.spawn([join(folder, 'bin', 'sac'), ...args], {
    cwd: mkdtempSync(join(folder, 'empty-')),
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      DATABASE_URL: database,
      DATA_DIR: join(folder, 'data'),
      ADMIN_PASSWORD: PASSWORD,
      API_GATEWAY_PORT: '0',
      INTERNAL_PORT: '0',
      CLAUDE_BIN: '/bin/bash',
      RUNTIME: 'local',
      ...env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.push(child)
  return child
}

async function said(child: ReturnType<typeof sac>): Promise<{ out: string; err: string; code: number }> {
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { out, err, code }
}

/** What a process writes, as it comes. */
function heard(stream: ReadableStream<Uint8Array>): { text: string } {
  const so = { text: '' }
  void (async () => {
    const [reader, decoder] = [stream.getReader(), new TextDecoder()]
    for (let read = await reader.read(); !read.done; read = await reader.read()) so.text += decoder.decode(read.value)
  })()
  return so
}

test('the executable tells the state of an empty database, and brings it up', async () => {
  expect(await said(sac(['migrate', 'status']))).toMatchObject({ out: expect.stringContaining('pending') as unknown as string, code: 0 })
  expect((await said(sac(['migrate', 'up']))).code).toBe(0)
  expect((await said(sac(['migrate', 'status']))).out).not.toContain('pending')
}, 60_000)

test.each([
  [['nonsense'], {}, 2, 'Usage: sac'],
  [['migrate', 'sideways'], {}, 2, 'Usage: sac'],
  [['serve'], { JWT_SECRET: '' }, 1, 'JWT_SECRET is empty'],
  [['serve'], { JWT_SECRET: 'secret' }, 1, 'JWT_SECRET is a well-known value'],
  [['serve'], { JWT_SECRET: 'short' }, 1, 'JWT_SECRET is too short'],
  [['serve'], { SECRET_KEYS: 'short' }, 1, 'SECRET_KEYS must hold 32-byte keys'],
  [['serve'], { API_GATEWAY_PORT: 'x' }, 1, 'API_GATEWAY_PORT must be a whole number'],
  [['serve'], { LOG_FORMAT: 'xml' }, 1, 'LOG_FORMAT must be one of json, console'],
  [['serve'], { RUNTIME: 'kubernetes' }, 1, 'RUNTIME=kubernetes'],
  [['serve'], { DATABASE_URL: 'not a url' }, 1, 'DATABASE_URL'],
  [['serve'], { DATABASE_URL: 'postgres://sac:canary-password@127.0.0.1:1/sac' }, 1, 'database'],
] as [string[], Record<string, string>, number, string][])(
  '%j with %j ends with a sentence',
  async (args, env, code, sentence) => {
    const answer = await said(sac(args, env))
    expect(answer.code).toBe(code)
    expect(answer.err).toContain(sentence)
    expect(answer.err).not.toMatch(/^\s+at /m)
    expect(answer.err).not.toContain('canary-password')
  },
  30_000,
)

test('a port that is taken is named', async () => {
  using other = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const answer = await said(sac(['serve'], { API_GATEWAY_PORT: String(other.port) }))
  expect(answer).toMatchObject({ code: 1, err: expect.stringContaining(`Port ${other.port}`) as unknown as string })
}, 30_000)

test('the executable serves pages with their assets, runs an agent, and stops when it is told to', async () => {
  const child = sac([], { LOG_FORMAT: 'console', LOG_LEVEL: 'debug' })
  const [out, log] = [heard(child.stdout), heard(child.stderr)]
  await until(() => log.text.includes('the portal is ready'), { timeoutMs: 30_000, what: 'the portal' })
  const url = /url=(\S+)/.exec(log.text)?.[1] ?? ''
  expect(out.text).toContain('First sign-in')

  const page = await (await fetch(`${url}/login`)).text()
  const assets = [...page.matchAll(/(?:href|src)="(\/static\/[^"#]+)/g)].map(([, path]) => path ?? '')
  expect(assets.length).toBeGreaterThan(2)
  for (const path of assets) expect({ path, status: (await fetch(url + path)).status }).toEqual({ path, status: 200 })

  const ask = async <T>(method: string, path: string, token: string, body?: unknown) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    })
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
  const { token } = await ask<{ token: string }>('POST', '/api/auth/login', '', { username: 'admin', password: PASSWORD })
  const { id } = await ask<{ id: number }>('POST', '/api/agents', token, { name: 'Compiled' })
  const { session_id } = await ask<{ session_id: string }>('POST', '/api/sessions', token, { agent_id: id })
  const status = async () => (await ask<{ status: string; reason: string }>('GET', `/api/sessions/${session_id}`, token)) ?? { status: '' }
  await until(async () => (await status()).status === 'running', { timeoutMs: 40_000, what: 'a running agent' })
  const [sandbox = ''] = readdirSync(join(folder, 'data', 'sandboxes'))
  await Bun.write(join(folder, 'data', 'sandboxes', sandbox, 'workspace', 'output', 'made.txt'), 'by an agent')
  const files = async () => (await ask<{ files: { name: string }[] }>('GET', `/api/workspace/output/files?agent_id=${id}`, token)).files
  await until(async () => (await files()).some(({ name }) => name === 'made.txt'), { timeoutMs: 20_000, what: 'the agent’s file' })
  await ask('DELETE', `/api/agents/${id}`, token)
  await until(() => readdirSync(join(folder, 'data', 'sandboxes')).length === 0, { timeoutMs: 30_000, what: 'the end of the sandbox' })

  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
  expect(log.text).not.toContain(PASSWORD)
  expect(log.text).not.toContain(token)
  expect(log.text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}the portal is ready/m)
}, 120_000)
