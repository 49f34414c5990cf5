// How soon Ctrl-C ends a flood, whatever the readers do: the whole portal against bare ttyd in the same run.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { limits, quantile, table } from './support/report.ts'
import { Client, hasEnded, Stand, type Way } from './support/terminal.ts'

const ROUNDS = Number(process.argv[2]) || 5
const LIMIT_MS = 500
// Counts as "for ever".
const HANGS_MS = 5000
// Long enough that everything between the program and the readers is full.
const FILL_MS = 1000
const SLOW_BYTES_PER_S = 1_000_000
const TABS = 8

/** What the readers do while Ctrl-C is typed by the first of them. */
const READERS: [string, number, (clients: Client[]) => () => void][] = [
  ['one reads', 1, () => () => {}],
  ['one has stopped reading', 1, stopped],
  ['one reads 1 MB/s', 1, slow],
  [`${TABS} tabs, all read`, TABS, () => () => {}],
  [`${TABS} tabs, all have stopped reading`, TABS, stopped],
  [`${TABS} tabs, one reads, the others have stopped`, TABS, ([, ...others]) => stopped(others)],
]

await using stand = new Stand()
const ttyd = await stand.ttyd('bare ttyd')
const portal = await stand.agent('portal')
const rows: string[][] = []
let most = 0
for (const [what, tabs, enter] of READERS) {
  // ttyd runs one program for each tab, so many tabs on one program are the portal's alone.
  const limit = tabs === 1 ? await measure(ttyd, tabs, enter) : undefined
  const ours = await measure(portal, tabs, enter)
  most = Math.max(most, ...ours)
  rows.push([what, ...cells(limit), ...cells(ours)])
}
table(`Ctrl-C until the flood has ended, ${ROUNDS} rounds each`, [['readers', 'ttyd p50 ms', 'most ms', 'portal p50 ms', 'most ms'], ...rows])
limits([{ what: 'Ctrl-C ends a flood, the slowest of all rounds', value: most, unit: 'ms', atMost: LIMIT_MS }])

function cells(times?: number[]): string[] {
  if (!times) return ['-', '-']
  return [quantile(times, 0.5), Math.max(...times)].map((ms) => (ms >= HANGS_MS ? `> ${HANGS_MS}` : ms.toFixed(1)))
}

async function measure(way: Way, tabs: number, enter: (clients: Client[]) => () => void): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) times.push(await once(way, tabs, enter))
  return times
}

async function once(way: Way, tabs: number, enter: (clients: Client[]) => () => void): Promise<number> {
  rmSync(join(way.folder, 'ended'), { force: true })
  const clients = Array.from({ length: tabs }, () => new Client(way))
  await Promise.all(clients.map((client) => client.ready()))
  const [typist] = clients
  typist?.type('c')
  await until(() => clients.every(({ heard }) => heard > 1_000_000), { timeoutMs: 20_000, what: 'a flood' })
  const leave = enter(clients)
  await Bun.sleep(FILL_MS)
  const began = performance.now()
  typist?.type('\u0003')
  const ended = await until(() => hasEnded(way), { timeoutMs: HANGS_MS, intervalMs: 1, what: 'the end of the flood' }).then(
    () => true,
    () => false,
  )
  const took = performance.now() - began
  leave()
  // One that hangs goes on as soon as it is read.
  if (!ended) await until(() => hasEnded(way), { timeoutMs: 20_000, what: 'the end of the flood after all' }).catch(() => {})
  for (const client of clients) client.close()
  await Bun.sleep(200)
  return ended ? took : HANGS_MS
}

function stopped(clients: Client[]): () => void {
  for (const client of clients) client.stop()
  return () => {
    for (const client of clients) client.goOn()
  }
}

function slow(clients: Client[]): () => void {
  const began = performance.now()
  const from = clients.map(({ heard }) => heard)
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * SLOW_BYTES_PER_S
    for (const [at, client] of clients.entries()) client.heard - (from[at] ?? 0) <= due ? client.goOn() : client.stop()
  }, 2)
  return () => {
    clearInterval(timer)
    for (const client of clients) client.goOn()
  }
}
