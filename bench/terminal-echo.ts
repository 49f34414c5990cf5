// How long a key takes to come back, alone and beside a neighbour that floods: the hub with dtach against bare ttyd.
import { until } from '../src/lib/until.ts'
import { Client, pause, quantile, Stand, table, type Way } from './support/terminal.ts'

const KEYS = Number(process.argv[2]) || 2000
// A server that has run for a while is the normal case.
const WARM_UP = 1000
const GAP_MS = 3
const ECHO = 'stty raw -echo; exec cat'
const EITHER = 'stty raw -echo; if [ "$(head -c 1)" = f ]; then exec yes; else exec cat; fi'

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
    await pause(Math.random() * gapMs)
  }
  return times
}

// The ways take turns, so that a busy moment of the machine hits all of them.
async function measure(clients: Client[]): Promise<number[][]> {
  const times: number[][] = clients.map(() => [])
  for (const client of clients) await echoes(client, WARM_UP, 0)
  for (let round = 0; round < 10; round++) for (const [at, client] of clients.entries()) times[at]?.push(...(await echoes(client, KEYS / 10)))
  return times
}

function report(headline: string, ways: Way[], times: number[][]): void {
  const limit = times[0] ?? []
  const cell = (samples: number[], share: number) => `${quantile(samples, share).toFixed(3)} (${(quantile(samples, share) / quantile(limit, share)).toFixed(2)} x)`
  table(headline, [['way', 'p50 ms', 'p95 ms', 'p99 ms'], ...ways.map(({ name }, at) => [name, ...[0.5, 0.95, 0.99].map((share) => cell(times[at] ?? [], share))])])
}

async function alone(): Promise<void> {
  await using stand = new Stand()
  const ways = [await stand.ttyd('bare ttyd', ECHO), await stand.ttyd('ttyd with dtach', ECHO, { dtach: true }), await stand.hub('hub with dtach', 1, ECHO)]
  const clients = ways.map((way) => new Client(way))
  await until(() => clients.every(({ open }) => open))
  await pause(1000)
  report(`echo, ${KEYS} keys each`, ways, await measure(clients))
}

// One server process carries the flood and the keys; the other ways are idle meanwhile.
async function besideFlood(): Promise<void> {
  const ways: Way[] = []
  const times: number[][] = []
  for (const name of ['bare ttyd', 'hub with dtach']) {
    await using stand = new Stand()
    const isHub = name.startsWith('hub')
    const quiet = isHub ? await stand.hub(name, 1, EITHER) : await stand.ttyd(name, EITHER)
    const loud = isHub ? await stand.hub(name, 2, EITHER) : quiet
    const client = new Client(quiet)
    await until(() => client.open)
    await pause(500)
    client.type('e')
    const flood = stand.reader(loud, 'f')
    await until(() => flood.last > 5_000_000, { timeoutMs: 20_000, what: 'a flood' })
    const [from, began] = [flood.last, performance.now()]
    const [samples = []] = await measure([client])
    const rate = (flood.last - from) / 1000 / (performance.now() - began)
    ways.push({ ...quiet, name: `${name} (${rate.toFixed(0)} MB/s beside)` })
    times.push(samples)
    client.close()
  }
  report(`echo beside a flooding neighbour of the same server, ${KEYS} keys each`, ways, times)
}

await alone()
await besideFlood()
