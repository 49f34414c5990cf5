import { afterAll, beforeAll, expect, test } from 'bun:test'
import { PUBLIC_POLICIES } from '../../src/route-policies.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { random } from '../support/random.ts'
import { SAMPLES } from './samples.ts'

const RUNS = Number(process.env.RUNS) || 12

let app: TestApp
let alice: Person
let admin: Person
let agent: string
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  admin = await app.admin()
  agent = String(await alice.createAgent())
})
afterAll(() => app[Symbol.asyncDispose]())

const chance = random('wrong values')
const pick = <T>(items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T

const TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  '1.5',
  '1e309',
  'null',
  'undefined',
  'NaN',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '/etc/passwd',
  'a/../b',
  'C:\\x',
  "' or 1=1 --",
  '%',
  '_',
  '\\',
  '%00',
  '%ff',
  '%zz',
  '\u0000',
  '\r\nX: y',
  '\ud800',
  '\u202e',
  '👩‍👩‍👧‍👦',
  '日本語',
  '<script>',
  '{{7*7}}',
  '$(id)',
  '`id`',
  'x'.repeat(300),
  'x'.repeat(5000),
  `${'a'.repeat(50_000)}!`,
  '9'.repeat(30),
  '2147483648',
  '9223372036854775808',
]
const VALUES: unknown[] = [null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53 + 2, 1e308, [], {}, [[]], [null], { a: { b: {} } }, { toString: 1 }, { length: -1 }, ...TEXTS]

/** A body with one to all of its values replaced, and now and then a field too many or something else altogether. */
function wrong(body: unknown): unknown {
  if (chance() < 0.1) return pick(VALUES)
  const fields = Object.entries((body ?? {}) as Record<string, unknown>)
  const changed = fields.map(([name, value]) => [name, chance() < 0.6 ? pick(VALUES) : value])
  if (chance() < 0.3) changed.push([pick(['role', 'id', 'created_by', 'config', 'custom_envs', 'cpu_limit', 'description', ...TEXTS]), pick(VALUES)])
  return Object.fromEntries(changed)
}

function path(name: string): string {
  const ids = { agent: chance() < 0.5 ? agent : pick(TEXTS), session: pick(TEXTS), login: pick(TEXTS) }
  const filled = (name.split(' ')[1] ?? '').replace(/:\w+/g, () => encode(name.includes('agents') ? ids.agent : pick(TEXTS)))
  const names = ['agent_id', 'agent', 'path', 'after', 'inline', 'ticket', 'next', 'invitation', 'done', 'version']
  const query = names.filter(() => chance() < 0.3).map((key) => `${key}=${encode(key.startsWith('agent') && chance() < 0.7 ? agent : pick(TEXTS))}`)
  return filled + (query.length > 0 ? `?${query.join('&')}` : '')
}

/** Percent-encoded mostly; as it is where that makes a request at all. */
function encode(text: string): string {
  return chance() < 0.1 && /^[\w%.~-]*$/.test(text) ? text : encodeURIComponent(text.toWellFormed())
}

function bodyOf(name: string, isApi: boolean): string | undefined {
  const sample = SAMPLES[name]?.body?.({ agent, session: '', login: '' })
  if (sample === undefined && chance() < 0.7) return undefined
  const value = wrong(sample)
  if (isApi) return JSON.stringify(value)
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return new URLSearchParams(fields.map(([key, item]) => [key, String(typeof item === 'object' ? JSON.stringify(item) : item)])).toString()
}

test.each(Object.entries(PUBLIC_POLICIES))(
  '%s (%s) has an answer for whatever is sent',
  async (name, policy) => {
    const [method = ''] = name.split(' ')
    const isApi = name.includes(' /api/')
    for (let run = 0; run < RUNS; run++) {
      const target = path(name)
      const body = method === 'GET' ? undefined : bodyOf(name, isApi)
      const aborter = new AbortController()
      const answer = await fetch(app.portal.url + target, {
        method,
        redirect: 'manual',
        signal: aborter.signal,
        headers: {
          authorization: `Bearer ${policy === 'admin' ? admin.token : alice.token}`,
          accept: pick(['application/json', 'text/html', '*/*']),
          'if-match': pick(['"1"', '*', 'x', '"']),
          'idempotency-key': pick(['k', 'x'.repeat(300)]),
          range: pick(['bytes=0-1', 'bytes=5-1', 'x']),
          'last-event-id': pick(['0', '-1', 'x', '9'.repeat(30)]),
          ...(chance() < 0.3 ? { 'hx-request': 'true', 'hx-request-type': 'partial' } : {}),
          ...(body === undefined
            ? {}
            : {
                'content-type': pick([
                  isApi ? 'application/json' : 'application/x-www-form-urlencoded',
                  isApi ? 'application/json' : 'application/x-www-form-urlencoded',
                  'text/plain',
                ]),
              }),
        },
        body,
      })
      const text = answer.headers.get('content-type')?.startsWith('text/event-stream') ? '' : await answer.text()
      aborter.abort()
      const seen = { method, target, body, status: answer.status, text: text.slice(0, 300) }
      if (answer.status >= 500) expect(seen).toEqual({ ...seen, status: 0 })
      // 431 is the server's own, without words: such a request has not reached the portal.
      if (answer.status >= 400 && answer.status !== 431 && isApi) {
        const { error } = JSON.parse(text) as { error: { code: string; message: string; request_id: string } }
        expect(error).toMatchObject({ code: expect.stringMatching(/^[a-z_]+$/) as unknown as string, request_id: answer.headers.get('x-request-id') ?? '' })
        expect(error.message).not.toMatch(/select |insert |\/src\/|node_modules|at \w+ \(/)
      }
      // Some of these requests end the login that they came with.
      if (answer.status === 401 || name.includes('log')) await signInAgain()
    }
  },
  60_000,
)

async function signInAgain(): Promise<void> {
  const { status } = await alice.ask('GET', '/api/auth/me')
  if (status !== 401) return
  const { users, logins } = app.portal.context
  const user = await users.checkPassword('alice', 'a phrase for testing', String(chance()))
  alice = alice.with((await logins.open(user, { userAgent: 'test', address: '127.0.0.1' })).token)
}
