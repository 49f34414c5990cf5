import { describe, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { adminOnly, everybody } from '../../src/http/auth.ts'
import { checkPolicies, methodsOf } from '../../src/http/policies.ts'

describe('an app without a policy for each route does not start', () => {
  const deps = { logins: {} as never, edge: { trustedProxies: [], secureCookies: false } }

  test('a route that the table does not know', () => {
    const app = new Elysia().use(everybody()).get('/new', () => 'x')
    expect(() => checkPolicies(app.routes, {})).toThrow('GET /new has no policy')
  })

  test('a route without a guard', () => {
    const app = new Elysia().get('/new', () => 'x')
    expect(() => checkPolicies(app.routes, { 'GET /new': 'public' })).toThrow('needs one guard of "public", but has none')
  })

  test('a route with a weaker guard than its policy', () => {
    const app = new Elysia().use(everybody()).get('/new', () => 'x')
    expect(() => checkPolicies(app.routes, { 'GET /new': 'admin' })).toThrow('but has "public"')
  })

  test('a policy without a route', () => {
    expect(() => checkPolicies([], { 'GET /gone': 'public' })).toThrow('there is no such route')
  })

  test('a route that is guarded as the table says', () => {
    const app = new Elysia().use(adminOnly(deps)).get('/new', () => 'x')
    expect(() => checkPolicies(app.routes, { 'GET /new': 'admin' })).not.toThrow()
  })
})

test.each([
  ['/agents/7', ['GET', 'HEAD', 'PUT']],
  ['/agents/7/', ['GET', 'HEAD', 'PUT']],
  ['/agents', []],
  ['/agents/7/x', []],
])('the methods of %s are %j', (path, methods) => {
  expect(methodsOf(path, { 'GET /agents/:id': 'owner', 'PUT /agents/:id': 'owner', 'POST /agents/:id/stop': 'owner' })).toEqual(methods)
})
