// What a reader of 1 MB/s of an endless flood costs the server in memory, and how soon Ctrl-C ends the flood.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { Client, pause, quantile, Stand, table } from './support/terminal.ts'

const SECONDS = Number(process.argv[2]) || 20
const MEBIBYTE = 1024 * 1024
const FLOODS = "stty -echo; trap : INT; while read -n 1; do yes 'a line of a flood'; touch ended; done"

await using stand = new Stand()
const way = await stand.hub('hub', 1, FLOODS)
await warmUp()

const before = await stand.stats()
const reader = stand.reader(way, 'x', 1_000_000)
await until(() => reader.last > 0, { timeoutMs: 10_000, what: 'a flood' })
let most = 0
const heard: number[] = []
for (let second = 0; second < SECONDS; second++) {
  await pause(1000)
  most = Math.max(most, (await stand.stats()).rssBytes)
  heard.push(reader.last)
}
const rate = ((heard.at(-1) ?? 0) - (heard[0] ?? 0)) / 1_000_000 / (SECONDS - 1)
table(`a reader of 1 MB/s of an endless flood, ${SECONDS} s`, [
  ['server before MiB', 'most MiB', 'growth MiB (≤ 8)', 'reader MB/s'],
  [before.rssBytes, most, most - before.rssBytes].map((bytes) => (bytes / MEBIBYTE).toFixed(1)).concat(rate.toFixed(2)),
])

const times: number[] = []
for (let round = 0; round < 10; round++) times.push(await interrupt())
await reader.end()
table('Ctrl-C beside that reader, until the program has ended (≤ 500 ms)', [
  ['p50 ms', 'most ms'],
  [quantile(times, 0.5).toFixed(1), Math.max(...times).toFixed(1)],
])

// A server that has seen a flood already: its first one makes the heap grow to its working size.
async function warmUp(): Promise<void> {
  const client = new Client(way)
  await until(() => client.open)
  await pause(300)
  client.type('x')
  await until(() => client.heard > 100_000_000, { timeoutMs: 30_000, what: 'a warm-up' })
  client.type('\u0003')
  await until(() => existsSync(join(stand.folder, 'ended')), { what: 'the end of the warm-up' })
  client.close()
  await pause(500)
}

async function interrupt(): Promise<number> {
  const ended = join(stand.folder, 'ended')
  const hand = new Client(way)
  await until(() => hand.open)
  rmSync(ended, { force: true })
  hand.type('x')
  await pause(300)
  hand.close()
  const second = new Client(way)
  await until(() => second.heard > 0)
  const began = performance.now()
  second.type('\u0003')
  await until(() => existsSync(ended), { intervalMs: 1, what: 'the end of the flood' })
  second.close()
  return performance.now() - began
}
