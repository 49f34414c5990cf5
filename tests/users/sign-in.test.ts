import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { users } from '../../src/db/schema.ts'
import { Passwords } from '../../src/users/passwords.ts'
import { RegistrationLimits } from '../../src/users/registration-limits.ts'
import { SignInLimits } from '../../src/users/sign-in-limits.ts'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { TRUSTED_PROXIES: '127.0.0.1' } })
  await app.as('alice')
  await app.as('disabled')
  await app.portal.context.database.db.update(users).set({ disabledAt: new Date() }).where(eq(users.username, 'disabled'))
})
afterAll(() => app[Symbol.asyncDispose]())

let addresses = 0
const post = (path: string, body: object, address = `10.0.0.${++addresses}`) =>
  fetch(app.portal.url + path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-forwarded-for': address }, body: JSON.stringify(body) })
const signIn = (username: string, password: string, address?: string) => post('/api/auth/login', { username, password }, address)

describe('who does not get in learns nothing', () => {
  test('a wrong password, an unknown name, a disabled account and a strange name get the same answer', async () => {
    const answers = await Promise.all(
      [
        ['alice', 'wrong'],
        ['alice@example.com', 'wrong'],
        ['nobody', 'wrong'],
        ['nobody@example.com', PASSWORD],
        ['disabled', PASSWORD],
        ['a\u0000b', PASSWORD],
        ["' or 1=1 --", PASSWORD],
        ['x'.repeat(10_000), PASSWORD],
        ['alice', 'x'.repeat(500_000)],
      ].map(async ([name = '', password = '']) => {
        const answer = await signIn(name, password)
        const { error } = (await answer.json()) as { error: { request_id: string } }
        const headers = [...answer.headers].filter(([header]) => !['date', 'x-request-id'].includes(header))
        return { status: answer.status, headers, error: { ...error, request_id: '' } }
      }),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0] as (typeof answers)[0])
    expect(answers[0]?.status).toBe(401)
  }, 30_000)

  test('an unknown name costs a hash like a known one, and an endless password none', async () => {
    const passwords = new Passwords(12)
    const hash = await passwords.hash(PASSWORD)
    expect(await passwords.matches(PASSWORD, hash)).toBe(true)
    expect(await passwords.matches(PASSWORD, undefined)).toBe(false)
    expect(await passwords.matches('no such account', undefined)).toBe(false)
    expect(await passwords.matches('x'.repeat(257), hash)).toBe(false)
  })
})

test('after five wrong tries the right password waits here, and works from elsewhere', async () => {
  const here = '10.1.1.1'
  for (let at = 0; at < 5; at++) expect((await signIn('alice', 'wrong', here)).status).toBe(401)
  const sixth = await signIn('alice', PASSWORD, here)
  expect(sixth.status).toBe(429)
  expect(Number(sixth.headers.get('retry-after'))).toBeWithin(1, 61)
  const page = await fetch(`${app.portal.url}/login`, {
    method: 'POST',
    headers: { 'x-forwarded-for': here },
    body: new URLSearchParams({ login: 'alice', password: PASSWORD }),
    redirect: 'manual',
  })
  expect({ status: page.status, wait: Number(page.headers.get('retry-after')) > 0 }).toEqual({ status: 429, wait: true })
  expect((await signIn('alice', PASSWORD, '10.1.1.2')).status).toBe(200)
}, 30_000)

test('tries that are sent at once are counted like tries one after the other', async () => {
  const here = '10.1.2.1'
  const answers = await Promise.all(Array.from({ length: 40 }, () => signIn('alice', 'wrong', here)))
  // Two passwords are checked at a time: one more than five may have begun before the fifth was wrong.
  expect(answers.filter(({ status }) => status === 401).length).toBeWithin(5, 7)
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(34)
}, 30_000)

test('a password that was right before it was changed opens nothing afterwards', async () => {
  const ivy = await app.as('ivy')
  const { users: accounts, logins } = app.portal.context
  const checked = await accounts.checkPassword('ivy', PASSWORD, 'elsewhere')
  expect((await ivy.ask('PUT', '/api/auth/password', { current_password: PASSWORD, new_password: 'another good phrase' })).status).toBe(200)
  await expect(logins.open(checked, { userAgent: '', address: 'elsewhere' })).rejects.toMatchObject({ code: 'invalid_credentials' })
  expect(await logins.list(checked)).toHaveLength(1)
})

test('pauses grow to a minute, and are over then', () => {
  let now = 1_000_000
  const limits = new SignInLimits(() => now)
  const pauses: number[] = []
  for (let round = 0; round < 5; round++) {
    for (let at = 0; at < 5; at++) limits.failed('alice', '10.0.0.1')
    pauses.push(limits.waitS('alice', '10.0.0.1'))
    now += limits.waitS('alice', '10.0.0.1') * 1000
    expect(limits.waitS('alice', '10.0.0.1')).toBe(0)
  }
  expect(pauses).toEqual([15, 30, 60, 60, 60])
  expect(limits.waitS('alice', '10.0.0.2')).toBe(0)
})

test('an address makes sixty accounts an hour, and others are not kept from it', () => {
  let now = 1_000_000
  const limits = new RegistrationLimits(() => now)
  for (let at = 0; at < 60; at++) limits.take('10.0.0.1')
  expect(() => limits.take('10.0.0.1')).toThrow('Too many accounts were made from here. Wait 60 minutes')
  limits.take('10.0.0.2')
  now += 60 * 60_000
  limits.take('10.0.0.1')
})

describe('passwords', () => {
  test.each(['exactly twelve', '  spaces around it  ', '🔑🦊🌲⛵🎈 🧭🪁', `${'ü'.repeat(36)}x`, `${'x y'.repeat(42)}zz`])(
    '%j is taken as it is, to the last byte',
    async (password) => {
      const username = `user${++addresses}`
      expect((await post('/api/auth/register', { username, email: `${username}@example.com`, password })).status).toBe(201)
      expect((await signIn(username, password)).status).toBe(200)
      for (const almost of [password.trim(), password.slice(0, -1), `${password} `, password.toUpperCase()].filter((other) => other !== password))
        expect((await signIn(username, almost)).status).toBe(401)
    },
    30_000,
  )

  test('a megabyte is too long', async () => {
    const answer = await post('/api/auth/register', { username: 'mallory', email: 'mallory@example.com', password: 'x'.repeat(1024 * 1000) })
    expect({ status: answer.status, code: ((await answer.json()) as { error: { code: string } }).error.code }).toEqual({ status: 422, code: 'password_too_long' })
  })

  test('one’s own name is no password', async () => {
    for (const password of ['long-user-name', 'LONG-user-name', 'long@example.com']) {
      expect((await post('/api/auth/register', { username: 'long-user-name', email: 'long@example.com', password })).status).toBe(422)
    }
  })
})

test.each(['alice@example.com', 'a b', 'a\u0000b', 'a\r\nb', 'a\u202eb', 'аlice', 'x'.repeat(65), '-x', '1x', 'x', ''])('the user name %j is refused', async (username) => {
  const answer = await post('/api/auth/register', { username, email: 'new@example.com', password: PASSWORD })
  expect({ status: answer.status, fields: Object.keys(((await answer.json()) as { error: { fields: object } }).error.fields) }).toEqual({ status: 422, fields: ['username'] })
})

test('a name is taken in whatever case it is written', async () => {
  const answer = await post('/api/auth/register', { username: 'ALICE', email: 'other@example.com', password: PASSWORD })
  expect({ status: answer.status, code: ((await answer.json()) as { error: { code: string } }).error.code }).toEqual({ status: 409, code: 'username_taken' })
})

test.each([{ role: 'admin' }, { id: 1 }, { created_by: 1 }, { password_hash: 'x' }, { passwordHash: 'x' }, { disabled_at: null }])('nobody registers with %j', async (more) => {
  const answer = await post('/api/auth/register', { username: 'mallory', email: 'mallory@example.com', password: PASSWORD, ...more })
  expect({ status: answer.status, code: ((await answer.json()) as { error: { code: string } }).error.code }).toEqual({ status: 422, code: 'unknown_field' })
  expect((await app.portal.context.database.db.select().from(users).where(eq(users.username, 'mallory'))).length).toBe(0)
})
