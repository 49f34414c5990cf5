// One event to many listeners of one agent: when the last has it, beside a bare server that only copies. A burst loses nothing.
import { join } from 'node:path'
import { Tenancy } from '../tests/support/tenants.ts'
import { verdict } from './support/figures.ts'
import { Listeners } from './support/listeners.ts'
import { quantile, table } from './support/terminal.ts'

const LISTENERS = Number(process.argv[2]) || 1000
const ROUNDS = 100
const BURST = 200
const PER_LOGIN = 50
const PAUSE_MS = 20

interface Figures {
  last: number[]
  spread: number[]
}

/** Sends single events, and measures from before the request until the last listener heard it. */
async function rounds(listeners: Listeners, send: (round: number) => Promise<unknown>): Promise<Figures> {
  const figures: Figures = { last: [], spread: [] }
  for (let round = -10; round < ROUNDS; round++) {
    const all = listeners.expect(1)
    const began = performance.now()
    await send(round)
    const { first, last } = await all
    if (round >= 0) {
      figures.last.push(last - began)
      figures.spread.push(last - first)
    }
    await Bun.sleep(PAUSE_MS)
  }
  return figures
}

/** Sends many events at once; how many of them did not come, over all listeners. */
async function burst(listeners: Listeners, send: (index: number) => Promise<unknown>): Promise<{ ms: number; lost: number }> {
  const all = listeners.expect(BURST)
  const began = performance.now()
  await Promise.all(Array.from({ length: BURST }, (_, index) => send(index)))
  await Promise.race([all, Bun.sleep(10_000)])
  return { ms: performance.now() - began, lost: listeners.missing }
}

async function plain(): Promise<Figures> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'support', 'plain-events.ts')], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const first = await child.stdout.getReader().read()
  const url = `http://127.0.0.1:${new TextDecoder().decode(first.value).trim()}/`
  const listeners = new Listeners()
  await listeners.open(Array.from({ length: LISTENERS }, () => ({ url, token: '' })))
  const figures = await rounds(listeners, (round) => fetch(url, { method: 'POST', body: `round-${round}` }).then((answer) => answer.text()))
  listeners.end()
  child.kill()
  await child.exited
  return figures
}

const copy = await plain()
const portal = await Tenancy.start()
const owner = await portal.tenant('owner')
const agent = await portal.run(owner)
try {
  const tokens = await Promise.all(Array.from({ length: Math.ceil(LISTENERS / PER_LOGIN) }, () => portal.signIn('owner')))
  const url = `${portal.url}/api/workspace/output/watch?agent_id=${agent.agentId}`
  const listeners = new Listeners()
  await listeners.open(Array.from({ length: LISTENERS }, (_, at) => ({ url, token: tokens[at % tokens.length] ?? '' })))
  const ours = await rounds(listeners, (round) => portal.upload(agent, 'event.txt', `round ${round}`))
  const many = await burst(listeners, (index) => portal.upload(agent, `burst/${index}`, `${index}`))
  listeners.end()
  const ms = (values: number[], share: number) => quantile(values, share).toFixed(1)
  table(`one event to ${LISTENERS} listeners, ${ROUNDS} times; ms from before the upload until the last has it`, [
    ['', 'last p50', 'p95', 'first to last p50', 'p95'],
    ['portal (stored, committed, sent)', ms(ours.last, 0.5), ms(ours.last, 0.95), ms(ours.spread, 0.5), ms(ours.spread, 0.95)],
    ['bare copy', ms(copy.last, 0.5), ms(copy.last, 0.95), ms(copy.spread, 0.5), ms(copy.spread, 0.95)],
  ])
  table('limits', [
    verdict('one event, p50', quantile(ours.last, 0.5), 16, 'ms'),
    verdict('one event, p95', quantile(ours.last, 0.95), 30, 'ms'),
    verdict(`burst of ${BURST} (${many.ms.toFixed(0)} ms), lost of ${BURST * LISTENERS}`, many.lost, 0, 'events'),
  ])
} finally {
  await portal.end([owner])
}
