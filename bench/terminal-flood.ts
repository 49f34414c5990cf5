// How fast output comes through, and whether it comes through unchanged: the whole portal with its real route, dtach
// and bubblewrap, against bare ttyd in the same run; random bytes, plain lines, and lines full of colours.
import { randomFillSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { limits, quantile, table } from './support/report.ts'
import { Client, Stand, type Way } from './support/terminal.ts'

const MEGABYTES = Number(process.argv[2]) || 40
const ROUNDS = 5

const repeated = (text: string) => Buffer.alloc(MEGABYTES * 1_000_000, text)
const SOURCES: [string, Uint8Array][] = [
  ['random bytes', randomFillSync(Buffer.alloc(MEGABYTES * 1_000_000))],
  ['plain lines', repeated('a line of a log, as programs write it by the thousand\r\n')],
  ['lines full of colours', repeated('\u001b[38;5;173m●\u001b[0m \u001b[1mread\u001b[22m \u001b[2m12 lines\u001b[0m\u001b[K\r\n')],
]

await using stand = new Stand()
const ways: Way[] = [await stand.ttyd('bare ttyd'), await stand.agent('portal')]
const ratios: number[] = []
let changed = 0
for (const [what, source] of SOURCES) ratios.push(await compare(what, source))
limits([
  ...SOURCES.map(([what], at) => ({ what: `flood of ${what}, portal to bare ttyd`, value: ratios[at] ?? Number.NaN, unit: 'x', atLeast: 1 })),
  { what: 'rounds with a changed or lost byte', value: changed, unit: 'rounds', atMost: 0 },
])

async function compare(what: string, source: Uint8Array): Promise<number> {
  for (const { folder } of ways) writeFileSync(join(folder, 'source'), source)
  const hash = new Bun.CryptoHasher('sha256').update(source).digest('hex')
  const rates: number[][] = ways.map(() => [])
  for (let round = 0; round < ROUNDS; round++)
    for (const [at, way] of ways.entries()) {
      const { rate, intact } = await once(way, source.byteLength, hash)
      rates[at]?.push(rate)
      if (!intact) changed++
    }
  const [bare = Number.NaN, portal = Number.NaN] = rates.map((samples) => quantile(samples, 0.5))
  table(`flood, ${ROUNDS} x ${MEGABYTES} MB of ${what} each`, [
    ['way', 'median MB/s', 'least', 'most', 'ratio'],
    ...ways.map(({ name }, at) => {
      const samples = rates[at] ?? []
      return [name, ...[quantile(samples, 0.5), Math.min(...samples), Math.max(...samples)].map((rate) => rate.toFixed(1)), `${(quantile(samples, 0.5) / bare).toFixed(2)} x`]
    }),
  ])
  return portal / bare
}

async function once(way: Way, length: number, hash: string): Promise<{ rate: number; intact: boolean }> {
  const client = new Client(way)
  await client.ready()
  const hasher = new Bun.CryptoHasher('sha256')
  const from = client.heard
  client.listener = (part) => hasher.update(part)
  const began = performance.now()
  client.type('s')
  await until(() => client.heard - from >= length, { timeoutMs: 60_000, intervalMs: 1, what: `a flood through ${way.name}` }).catch(() => {})
  const seconds = (performance.now() - began) / 1000
  client.close()
  return { rate: (client.heard - from) / 1_000_000 / seconds, intact: hasher.digest('hex') === hash }
}
