// What listeners cost that hear nothing: memory of the portal's process for each, beside a bare server; and one event to all.
import { join } from 'node:path'
import { Tenancy, type Tenant } from '../tests/support/tenants.ts'
import { memoryKiB, verdict } from './support/figures.ts'
import { Listeners } from './support/listeners.ts'
import { table } from './support/terminal.ts'

const LISTENERS = Number(process.argv[2]) || 10_000
const PER_LOGIN = 50
const PER_PERSON = 500
const SETTLE_MS = 3000
const WARM = 200

async function bare(): Promise<number> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'support', 'plain-events.ts')], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const first = await child.stdout.getReader().read()
  const url = `http://127.0.0.1:${new TextDecoder().decode(first.value).trim()}/`
  const each = await perListener(child.pid, (count) => Array.from({ length: count }, () => ({ url, token: '' })))
  child.kill()
  await child.exited
  return each
}

/** KiB of a process for each listener, after some were open already. */
async function perListener(pid: number, streams: (count: number) => { url: string; token: string }[]): Promise<number> {
  const all = streams(LISTENERS + WARM)
  const [warm, listeners] = [new Listeners(), new Listeners()]
  await warm.open(all.slice(0, WARM))
  await Bun.sleep(SETTLE_MS)
  const before = memoryKiB(pid)
  await listeners.open(all.slice(WARM))
  await Bun.sleep(SETTLE_MS)
  const after = memoryKiB(pid)
  listeners.end()
  warm.end()
  return (after - before) / LISTENERS
}

const copy = await bare()
const portal = await Tenancy.start()
const people: (Tenant & { tokens: string[] })[] = []
for (let person = 0; person < Math.ceil((LISTENERS + WARM) / PER_PERSON); person++) {
  const name = `listener-${person}`
  const tenant = await portal.tenant(name)
  people.push({ ...tenant, tokens: [tenant.token, ...(await Promise.all(Array.from({ length: PER_PERSON / PER_LOGIN - 1 }, () => portal.signIn(name))))] })
}
try {
  const streams = (count: number) =>
    Array.from({ length: count }, (_, at) => {
      const person = people[at % people.length]
      return { url: `${portal.url}/api/workspace/output/watch?agent_id=${person?.agentId}`, token: person?.tokens[Math.floor(at / people.length) % person.tokens.length] ?? '' }
    })
  const ours = await perListener(portal.portal.pid, streams)
  table(`${LISTENERS} idle listeners of ${people.length} agents`, [
    ['', 'KiB each'],
    ['portal', ours.toFixed(1)],
    ['bare server', copy.toFixed(1)],
  ])
  table('limits', [verdict('memory for each idle listener', ours, 15, 'KiB')])
} finally {
  await portal.end()
}
