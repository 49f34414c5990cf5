// How fast output comes through, and whether it comes through unchanged: the hub with dtach against bare ttyd.
import { randomFillSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { Client, pause, quantile, Stand, table, type Way } from './support/terminal.ts'

const MEGABYTES = Number(process.argv[2]) || 60
const ROUNDS = 5
// Each key sends the file once.
const SOURCE = 'stty raw -echo; while [ -n "$(head -c 1)" ]; do cat source; done'

await using stand = new Stand()
const bytes = new Uint8Array(MEGABYTES * 1_000_000)
randomFillSync(bytes)
writeFileSync(join(stand.folder, 'source'), bytes)
const hash = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')

const ways: Way[] = [await stand.ttyd('bare ttyd', SOURCE), await stand.hub('hub with dtach', 1, SOURCE)]
const rates: number[][] = ways.map(() => [])
const changed = ways.map(() => 0)
for (let round = 0; round < ROUNDS; round++)
  for (const [at, way] of ways.entries()) {
    const { rate, intact } = await once(way)
    rates[at]?.push(rate)
    if (!intact) changed[at] = (changed[at] ?? 0) + 1
  }

const limit = quantile(rates[0] ?? [], 0.5)
table(`flood, ${ROUNDS} x ${MEGABYTES} MB of random bytes each`, [
  ['way', 'median MB/s', 'least', 'most', 'ratio', 'rounds with changed bytes'],
  ...ways.map(({ name }, at) => {
    const samples = rates[at] ?? []
    const median = quantile(samples, 0.5)
    return [name, median.toFixed(1), Math.min(...samples).toFixed(1), Math.max(...samples).toFixed(1), `${(median / limit).toFixed(2)} x`, String(changed[at])]
  }),
])

async function once(way: Way): Promise<{ rate: number; intact: boolean }> {
  const client = new Client(way)
  await until(() => client.open)
  await pause(500)
  const hasher = new Bun.CryptoHasher('sha256')
  const from = client.heard
  client.listener = (part) => hasher.update(part)
  const began = performance.now()
  client.type('x')
  await until(() => client.heard - from >= bytes.length, { timeoutMs: 60_000, intervalMs: 1, what: `${MEGABYTES} MB through ${way.name}` }).catch(() => {})
  const seconds = (performance.now() - began) / 1000
  client.close()
  return { rate: (client.heard - from) / 1_000_000 / seconds, intact: hasher.digest('hex') === hash }
}
