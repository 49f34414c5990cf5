// What a reader of 1 MB/s of an endless flood costs the whole portal in memory: its process as the kernel sees it.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { memoryKiB } from './support/figures.ts'
import { limits, table } from './support/report.ts'
import { Client, hasEnded, Stand } from './support/terminal.ts'

const SECONDS = Number(process.argv[2]) || 20
const MEBIBYTE = 1024 * 1024
const WARM_UP_BYTES = 100_000_000

await using stand = new Stand()
const way = await stand.agent('portal')
const portal = await stand.portal()
await warmUp()

const before = memoryKiB(portal.pid) * 1024
const reader = stand.reader(way, 'c', 1_000_000)
await until(() => reader.last > 0, { timeoutMs: 10_000, what: 'a flood' })
let most = 0
const heard: number[] = []
for (let tick = 0; tick < SECONDS * 10; tick++) {
  await Bun.sleep(100)
  most = Math.max(most, memoryKiB(portal.pid) * 1024)
  heard.push(reader.last)
}
await reader.end()
const rate = ((heard.at(-1) ?? 0) - (heard[0] ?? 0)) / 1_000_000 / (SECONDS - 0.1)
const growth = (most - before) / MEBIBYTE
table(`a reader of 1 MB/s of an endless flood, ${SECONDS} s`, [
  ['server before MiB', 'most MiB', 'growth MiB', 'reader MB/s'],
  [before / MEBIBYTE, most / MEBIBYTE, growth, rate].map((value) => value.toFixed(2)),
])
limits([{ what: 'growth of the server', value: growth, unit: 'MiB', atMost: 8 }])

// A server that has seen a flood already: its first one makes the heap grow to its working size.
async function warmUp(): Promise<void> {
  const client = new Client(way)
  await client.ready()
  client.type('c')
  await until(() => client.heard > WARM_UP_BYTES, { timeoutMs: 30_000, what: 'a warm-up' })
  client.type('\u0003')
  await until(() => hasEnded(way), { what: 'the end of the warm-up' })
  rmSync(join(way.folder, 'ended'))
  client.close()
  await Bun.sleep(2000)
}
