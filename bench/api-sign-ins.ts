// A storm of sign-ins: how many there are a second beside bare hashing, and what other people's requests wait meanwhile, beside a quiet portal.
import { PASSWORD, Tenancy } from '../tests/support/tenants.ts'
import { verdict } from './support/figures.ts'
import { load } from './support/http-load.ts'
import { quantile, table } from './support/terminal.ts'

const STORM_CONNECTIONS = 8
const OTHERS = 4
const SECONDS = 8
const LEAST_PER_SECOND = 25
const LIMIT_MS = 50
const GAP_MS = 10
const TRIES = 90
const SAME_TIME_PERCENT = 5

const HASH = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const
const HASHES_AT_ONCE = 2

/** What this machine can do at most: nothing but the hashes. */
async function bareHashing(): Promise<number> {
  const hash = await Bun.password.hash(PASSWORD, HASH)
  const began = performance.now()
  let count = 0
  const work = async () => {
    for (; performance.now() - began < SECONDS * 500; count++) await Bun.password.verify(PASSWORD, hash)
  }
  await Promise.all(Array.from({ length: HASHES_AT_ONCE }, work))
  return (count / (performance.now() - began)) * 1000
}

/** Medians of refused sign-ins with a name that is there and with one that is not, in turns. */
async function refusals(): Promise<{ known: number; unknown: number }> {
  const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] }
  for (let at = 0; at < TRIES; at++) {
    // Neither of them always comes first.
    for (const kind of at % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
      const began = performance.now()
      const body = JSON.stringify({ username: kind === 'known' ? 'somebody' : `nobody${at}`, password: 'wrong' })
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': `10.9.${kind.length}.${at}` }
      await fetch(`${portal.url}/api/auth/login`, { method: 'POST', headers, body })
      times[kind].push(performance.now() - began)
    }
  }
  return { known: quantile(times.known, 0.5), unknown: quantile(times.unknown, 0.5) }
}

const bare = await bareHashing()
const portal = await Tenancy.start()
try {
  const tenant = await portal.tenant('somebody')
  const headers = { authorization: `Bearer ${tenant.token}` }
  const others = () => load({ url: portal.url, headers, paths: ['/api/agents', '/api/sessions'], connections: OTHERS, seconds: SECONDS, gapMs: GAP_MS })
  const quiet = await others()
  const body = JSON.stringify({ username: 'somebody', password: PASSWORD })
  const storm = load({
    url: portal.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    paths: ['/api/auth/login'],
    body,
    connections: STORM_CONNECTIONS,
    seconds: SECONDS,
  })
  const meanwhile = await others()
  const signIns = await storm
  const { known, unknown } = await refusals()
  const difference = Math.abs(known / unknown - 1) * 100
  const right = (signIns.statuses['200'] ?? 0) / SECONDS
  table(`sign-ins by ${STORM_CONNECTIONS} connections, ${SECONDS} s; other requests by ${OTHERS} connections`, [
    [
      'sign-ins',
      `${right.toFixed(1)} /s`,
      `≥ ${LEAST_PER_SECOND} /s`,
      `${(right / bare).toFixed(2)} x of bare hashing (${bare.toFixed(1)} /s) ${JSON.stringify(signIns.statuses)}`,
      right >= LEAST_PER_SECOND ? 'OK' : 'MISSED',
    ],
    ...(['p50', 'p95', 'p99'] as const).map((name) => {
      const [figure = '', value = '', limit = '', word = ''] = verdict(`other requests ${name}`, meanwhile[name], LIMIT_MS, 'ms')
      return [figure, value, limit, `${(meanwhile[name] / quiet[name]).toFixed(1)} x of quiet (${quiet[name].toFixed(1)} ms)`, word]
    }),
    [
      'refusal of a known and of an unknown name',
      `${difference.toFixed(1)} % apart`,
      `≤ ${SAME_TIME_PERCENT} %`,
      `${known.toFixed(1)} and ${unknown.toFixed(1)} ms`,
      difference <= SAME_TIME_PERCENT ? 'OK' : 'MISSED',
    ],
    ['other requests, worst', `${meanwhile.worst.toFixed(1)} ms`, '', `quiet ${quiet.worst.toFixed(1)} ms`, ''],
  ])
} finally {
  await portal.end()
}
