// What idle terminals cost the server: 2 000 real ones, each with dtach, a shell script and one viewer.
import { until } from '../src/lib/until.ts'
import { Client, pause, Stand, table } from './support/terminal.ts'

const TERMINALS = Number(process.argv[2]) || 2000
const IDLE_S = 10

await using stand = new Stand()
const first = new Client(await stand.hub('first', 0, 'exec cat'))
await pause(1000)
const before = await stand.stats()
const clients: Client[] = []
for (let from = 1; from <= TERMINALS; from += 50) {
  const ids = Array.from({ length: Math.min(50, TERMINALS - from + 1) }, (_, at) => from + at)
  const ways = await Promise.all(ids.map((id) => stand.hub('hub', id, 'read -p "a prompt of a shell $ "; exec cat')))
  clients.push(...ways.map((way) => new Client(way)))
}
await until(async () => (await stand.stats()).upstreams > TERMINALS, { timeoutMs: 60_000, intervalMs: 500, what: 'all terminals' })
await pause(3000)
const between = await stand.stats()
await pause(IDLE_S * 1000)
const after = await stand.stats()
const withGc = await cpuOfStats()
const cpuShare = Math.max(0, after.cpuMs - between.cpuMs - withGc) / (IDLE_S * 10)
table(`${TERMINALS} idle terminals with one viewer each`, [
  ['server before MiB', 'after MiB', 'KiB each (≤ 30)', 'percent of a core (≤ 1)'],
  [(before.rssBytes / 2 ** 20).toFixed(1), (after.rssBytes / 2 ** 20).toFixed(1), ((after.rssBytes - before.rssBytes) / 1024 / TERMINALS).toFixed(1), cpuShare.toFixed(2)],
])
for (const client of [first, ...clients]) client.close()

// Asking for figures collects garbage first, which is work of the bench and not of the terminals.
async function cpuOfStats(): Promise<number> {
  const [first, second] = [await stand.stats(), await stand.stats()]
  return second.cpuMs - first.cpuMs
}
