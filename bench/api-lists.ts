// Lists under load: requests per second and waiting times at 32 connections beside a bare server, and 300 clients on one small pool.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded.ts'
import { silentLogger } from '../src/lib/logger.ts'
import { Tenancy, type Tenant } from '../tests/support/tenants.ts'
import { verdict } from './support/figures.ts'
import { type LoadResult, load } from './support/http-load.ts'
import { table } from './support/terminal.ts'

const SECRET = 'a secret for measuring that nobody else uses'
const AGENTS = 3
const CONNECTIONS = 32
const CLIENTS = 300
const SECONDS = 4
const LEAST_PER_SECOND = 2000
const P99_MS = 50

const folder = mkdtempSync(join(tmpdir(), 'sac-bench-db-'))
const database = await startEmbedded({ dataDir: folder, logger: silentLogger, durable: false })
const portal = await Tenancy.start({ DATABASE_URL: database.url, JWT_SECRET: SECRET })
const tenants: Tenant[] = []
const plain = Bun.spawn([process.execPath, join(import.meta.dir, 'support', 'plain-lists.ts'), database.url, SECRET], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
try {
  const tenant = await portal.tenant('lister')
  tenants.push(tenant)
  for (let at = 1; at < AGENTS; at++)
    tenants.push({ ...tenant, agentId: (await portal.portal.ask<{ id: number }>(tenant.token, 'POST', '/api/agents', { name: `Bench ${at}` })).id })
  for (const each of tenants) await portal.run(each)
  const reader = plain.stdout.getReader()
  const plainUrl = `http://127.0.0.1:${new TextDecoder().decode((await reader.read()).value).trim()}`
  await lists(tenant.token, plainUrl)
  await crowd(tenant.token)
} finally {
  plain.kill()
  await portal.end(tenants)
  await database.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function lists(token: string, plainUrl: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const rows: string[][] = []
  for (const path of ['/api/agents', '/api/sessions', '/api/agent-statuses']) {
    const ask = (url: string, seconds = SECONDS) => load({ url, headers, paths: [path], connections: CONNECTIONS, seconds })
    await ask(portal.url, 2)
    const [ours, bare] = [await ask(portal.url), await ask(plainUrl)]
    const ratio = `${(ours.perSecond / bare.perSecond).toFixed(2)} x of bare`
    rows.push([path, `${ours.perSecond.toFixed(0)} /s`, `≥ ${LEAST_PER_SECOND} /s`, ratio, ours.perSecond >= LEAST_PER_SECOND ? 'OK' : 'MISSED', ...failures(ours)])
    rows.push(insert(verdict(`${path} p99`, ours.p99, P99_MS, 'ms'), `bare ${bare.p99.toFixed(1)} ms`))
  }
  table(`lists of ${AGENTS} running agents, ${CONNECTIONS} connections, ${SECONDS} s each`, rows)
}

async function crowd(token: string): Promise<void> {
  const result = await load({
    url: portal.url,
    headers: { authorization: `Bearer ${token}` },
    paths: ['/api/agents', '/api/sessions', '/api/agent-statuses', '/api/auth/logins'],
    connections: CLIENTS,
    seconds: SECONDS,
  })
  const wrong = Object.entries(result.statuses).filter(([status]) => status !== '200' && status !== '503')
  const errors = wrong.reduce((sum, [, count]) => sum + count, 0) + result.broken
  table(`${CLIENTS} clients at once`, [
    insert(verdict('errors other than 503', errors, 0, 'of them'), JSON.stringify(result.statuses)),
    ['requests', `${result.perSecond.toFixed(0)} /s`, '', `p99 ${result.p99.toFixed(0)} ms, worst ${result.worst.toFixed(0)} ms`, ''],
  ])
}

function failures({ statuses, broken }: LoadResult): string[] {
  const { '200': _fine, ...bad } = statuses
  return Object.keys(bad).length > 0 || broken > 0 ? [JSON.stringify({ ...bad, broken })] : []
}

/** A column between the limit and the verdict. */
function insert([name = '', value = '', limit = '', word = '']: string[], column: string): string[] {
  return [name, value, limit, column, word]
}
