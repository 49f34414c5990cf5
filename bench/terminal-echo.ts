// How long a key takes to come back, alone and beside a neighbour that floods: the whole portal with its real route,
// dtach and bubblewrap, against bare ttyd in the same run.
import { until } from '../src/lib/until.ts'
import { limits, quantile, table } from './support/report.ts'
import { Client, Stand, type Way } from './support/terminal.ts'

const KEYS = Number(process.argv[2]) || 2000
// A server that has run for a while is the normal case.
const WARM_UP = 1000
const GAP_MS = 3
const ROUNDS = 10
const FLOODING_BYTES = 5_000_000

async function echoes(client: Client, keys: number, gapMs = GAP_MS): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at < keys; at++) {
    const began = performance.now()
    const back = new Promise<void>((resolve) => {
      client.listener = () => resolve()
    })
    client.type(String.fromCharCode(97 + (at % 26)))
    await back
    times.push(performance.now() - began)
    await Bun.sleep(Math.random() * gapMs)
  }
  return times
}

async function echoing(way: Way): Promise<Client> {
  const client = new Client(way)
  await client.ready()
  client.type('e')
  await Bun.sleep(300)
  return client
}

// The ways take turns, so that a busy moment of the machine hits all of them.
async function measure(clients: Client[]): Promise<number[][]> {
  const times: number[][] = clients.map(() => [])
  for (const client of clients) await echoes(client, WARM_UP, 0)
  for (let round = 0; round < ROUNDS; round++) for (const [at, client] of clients.entries()) times[at]?.push(...(await echoes(client, KEYS / ROUNDS)))
  return times
}

function report(headline: string, names: string[], times: number[][]): void {
  const bare = times[0] ?? []
  const cell = (samples: number[], share: number) => `${quantile(samples, share).toFixed(3)} (${(quantile(samples, share) / quantile(bare, share)).toFixed(2)} x)`
  table(headline, [['way', 'p50 ms', 'p95 ms', 'p99 ms'], ...names.map((name, at) => [name, ...[0.5, 0.95, 0.99].map((share) => cell(times[at] ?? [], share))])])
}

async function alone(): Promise<number> {
  await using stand = new Stand()
  const ways = [await stand.ttyd('bare ttyd'), await stand.ttyd('ttyd with dtach', { dtach: true }), await stand.agent('portal')]
  const times = await measure(await Promise.all(ways.map(echoing)))
  report(
    `echo, ${KEYS} keys each`,
    ways.map(({ name }) => name),
    times,
  )
  return quantile(times[2] ?? [], 0.5) / quantile(times[0] ?? [], 0.5)
}

// One server process carries the flood and the keys; the other ways are idle meanwhile.
async function besideFlood(): Promise<number[]> {
  const names: string[] = []
  const times: number[][] = []
  for (const isPortal of [false, true]) {
    await using stand = new Stand()
    const quiet = isPortal ? await stand.agent('portal') : await stand.ttyd('bare ttyd')
    const loud = isPortal ? await stand.agent('neighbour') : quiet
    const client = await echoing(quiet)
    const flood = stand.reader(loud, 'f')
    await until(() => flood.last > FLOODING_BYTES, { timeoutMs: 20_000, what: 'a flood' })
    const [from, began] = [flood.last, performance.now()]
    const [samples = []] = await measure([client])
    const rate = (flood.last - from) / 1000 / (performance.now() - began)
    names.push(`${quiet.name} (${rate.toFixed(0)} MB/s beside)`)
    times.push(samples)
    client.close()
  }
  report(`echo beside a flooding neighbour of the same server, ${KEYS} keys each`, names, times)
  return times[1] ?? []
}

const ratio = await alone()
const beside = await besideFlood()
limits([
  { what: 'echo p50, portal to bare ttyd', value: ratio, unit: 'x', atMost: 1.4 },
  { what: 'echo beside a flooding neighbour, p95', value: quantile(beside, 0.95), unit: 'ms', atMost: 2 },
  { what: 'echo beside a flooding neighbour, p99', value: quantile(beside, 0.99), unit: 'ms', atMost: 4 },
])
