import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { startTestApp, type TestApp } from '../support/app.ts'

const SECRET = 'a secret that only this test and its portal know'
const HOUR_S = 3600

let app: TestApp
let good: { head: Record<string, unknown>; claims: Record<string, unknown>; token: string }
beforeAll(async () => {
  app = await startTestApp({ env: { JWT_SECRET: SECRET } })
  const { token } = await app.as('alice')
  const [head = '', claims = ''] = token.split('.')
  good = { head: decoded(head), claims: decoded(claims), token }
})
afterAll(() => app[Symbol.asyncDispose]())

const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const nowS = () => Math.floor(Date.now() / 1000)

/** A token signed with the right secret, or with another one. */
function signed({ head = {}, claims = {}, secret = SECRET, hash = 'sha256' }: { head?: object; claims?: object; secret?: string; hash?: string }): string {
  const body = `${encoded({ ...good.head, ...head })}.${encoded({ ...good.claims, ...claims })}`
  return `${body}.${createHmac(hash, secret).update(body).digest('base64url')}`
}

function signedByRsa(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const body = `${encoded({ alg: 'RS256', typ: 'JWT' })}.${encoded(good.claims)}`
  return `${body}.${createSign('RSA-SHA256').update(body).sign(privateKey, 'base64url')}`
}

const whoAmI = async (token: string) => {
  const answer = await fetch(`${app.portal.url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } })
  return { status: answer.status, code: ((await answer.json()) as { error?: { code: string } }).error?.code }
}

describe('a token is refused', () => {
  const part = (at: number) => good.token.split('.')[at] ?? ''
  const forgeries: [string, () => string][] = [
    ['without an algorithm', () => `${encoded({ alg: 'none', typ: 'JWT' })}.${part(1)}.`],
    ['without an algorithm, in capitals', () => `${encoded({ alg: 'None' })}.${part(1)}.${part(2)}`],
    ['of RS256 with the secret as its key', () => signed({ head: { alg: 'RS256' } })],
    ['of RS256 with a real key', signedByRsa],
    ['of HS512 with the right secret', () => signed({ head: { alg: 'HS512' }, hash: 'sha512' })],
    ['with an empty signature', () => `${part(0)}.${part(1)}.`],
    ['with two parts', () => `${part(0)}.${part(1)}`],
    ['that has run out', () => signed({ claims: { exp: nowS() - 1 } })],
    ['that never runs out', () => signed({ claims: { exp: undefined } })],
    ['that is valid in an hour', () => signed({ claims: { nbf: nowS() + HOUR_S } })],
    ['that was made five minutes in the future', () => signed({ claims: { iat: nowS() + 300 } })],
    ['for another audience', () => signed({ claims: { aud: 'sac-internal' } })],
    ['from another issuer', () => signed({ claims: { iss: 'evil' } })],
    ['with an unknown key', () => signed({ head: { kid: 'unknown' } })],
    ['with a path for its key', () => signed({ head: { kid: '../../../../dev/null' } })],
    ['with a key of its own', () => signed({ head: { jwk: { kty: 'oct', k: encoded('x') } } })],
    ['with a critical extension', () => signed({ head: { crit: ['x'], x: 1 } })],
    ['signed with another secret', () => signed({ secret: 'the secret of last year, which is gone' })],
    ['signed with an empty secret', () => signed({ secret: '' })],
    ['with edited claims', () => `${part(0)}.${encoded({ ...good.claims, sub: '2' })}.${part(2)}`],
    ['for another user’s login', () => signed({ claims: { sub: String(Number(good.claims.sub) + 1) } })],
    ['for a login that is not there', () => signed({ claims: { sid: 'x'.repeat(43) } })],
    ['for a login that is no text', () => signed({ claims: { sid: { $ne: '' } } })],
    ['of ten kilobytes', () => signed({ claims: { padding: 'x'.repeat(10_000) } })],
    ['that is no token at all', () => 'y'.repeat(100)],
  ]

  test.each(forgeries)('%s', async (_what, forged) => {
    expect(await whoAmI(forged())).toEqual({ status: 401, code: 'invalid_token' })
  })

  test.each(['/api/auth/me', '/account', '/events', '/ws/00000000-0000-4000-8000-000000000000'])('in the address of %s', async (path) => {
    for (const name of ['token', 'access_token', 'jwt', 'auth']) {
      const answer = await fetch(`${app.portal.url}${path}?${name}=${good.token}`, { headers: { authorization: `Bearer ${good.token}`, accept: 'application/json' } })
      expect(answer.status).toBe(401)
      expect(await answer.text()).not.toContain(good.token)
    }
  })
})

test('the real token is taken, and a clock that is half a minute ahead does no harm', async () => {
  expect((await whoAmI(good.token)).status).toBe(200)
  expect((await whoAmI(signed({ claims: { iat: nowS() + 30 } }))).status).toBe(200)
})
