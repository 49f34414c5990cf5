// What idle terminals cost the server: 2 000 real ones, each with dtach, a shell and one tab, through the portal's real
// route with accounts and rows. Memory and CPU of the server's process, against the same portal before the tabs came.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import type { IdlePortal, IdleStats } from './support/idle-portal.ts'
import { eachLine } from './support/lines.ts'
import { limits, table } from './support/report.ts'
import { Client, Stand } from './support/terminal.ts'

const TERMINALS = Number(process.argv[2]) || 2000
const IDLE_S = 20
const AT_ONCE = 50
const PROMPT = 'read -p "a prompt of a shell $ "; exec cat'

await using stand = new Stand()
// Bun takes the settings of JSX from the folder that it runs in.
const server = stand.spawn([process.execPath, '--cwd', join(import.meta.dir, '..'), join(import.meta.dir, 'support', 'idle-portal.ts'), stand.folder, String(TERMINALS)], 'pipe')
const portal = await firstLine(server.stdout)
for (const group of groups()) {
  for (const { agentId } of group) stand.spawn(['dtach', '-N', socketOf(agentId), '-E', '-z', 'bash', '-c', PROMPT])
  await until(() => group.every(({ agentId }) => existsSync(socketOf(agentId))), { timeoutMs: 20_000, what: 'the shells' })
}

// One round with a first tab: code that runs for the first time is not the cost of a terminal.
const first = open(portal.terminals[0])
await until(async () => (await stats()).upstreams === 1, { what: 'the first terminal' })
const quiet = await rest()
first.close()
await until(async () => (await stats()).viewers === 0, { what: 'the end of the first tab' })
const clients: Client[] = []
for (const group of groups()) {
  clients.push(...group.map(open))
  await until(async () => (await stats()).viewers > clients.length - AT_ONCE / 2, { timeoutMs: 20_000, what: 'the tabs' })
}
await until(async () => (await stats()).upstreams === TERMINALS, { timeoutMs: 60_000, intervalMs: 200, what: 'all terminals' })
const idle = await rest()
table(`${TERMINALS} idle terminals with one tab each, ${IDLE_S} s`, [
  ['portal', 'MiB', 'percent of a core'],
  ['with one terminal', (quiet.rssBytes / 2 ** 20).toFixed(1), quiet.share.toFixed(2)],
  [`with ${TERMINALS}`, (idle.rssBytes / 2 ** 20).toFixed(1), idle.share.toFixed(2)],
])
limits([
  { what: 'memory of an idle terminal', value: (idle.rssBytes - quiet.rssBytes) / 1024 / TERMINALS, unit: 'KiB', atMost: 30 },
  { what: `CPU of ${TERMINALS} idle terminals`, value: Math.max(0, idle.share - quiet.share), unit: 'percent of a core', atMost: 1 },
])
for (const client of clients) client.close()

function open(terminal: IdlePortal['terminals'][number] | undefined): Client {
  const { sessionId, token } = terminal ?? { sessionId: '', token: '' }
  return new Client({ name: 'portal', url: `${portal.url.replace(/^http/, 'ws')}/ws/${sessionId}`, headers: { authorization: `Bearer ${token}` }, folder: '' })
}

function groups(): IdlePortal['terminals'][] {
  return Array.from({ length: Math.ceil(TERMINALS / AT_ONCE) }, (_, at) => portal.terminals.slice(at * AT_ONCE, (at + 1) * AT_ONCE))
}

function socketOf(agentId: number): string {
  return join(stand.folder, String(agentId))
}

async function stats(): Promise<IdleStats> {
  return (await (await fetch(portal.stats)).json()) as IdleStats
}

/** Waits until the start is over, then looks at the server for a while. */
async function rest(): Promise<{ rssBytes: number; share: number }> {
  await Bun.sleep(5000)
  const before = await stats()
  await Bun.sleep(IDLE_S * 1000)
  const after = await stats()
  return { rssBytes: after.rssBytes, share: (after.cpuMs - before.cpuMs) / (IDLE_S * 10) }
}

async function firstLine(stream: ReadableStream<Uint8Array> | undefined): Promise<IdlePortal> {
  let said: IdlePortal | undefined
  await eachLine(stream, (line) => {
    said = JSON.parse(line)
    return true
  })
  if (!said) throw new Error('The portal did not start.')
  return said
}
