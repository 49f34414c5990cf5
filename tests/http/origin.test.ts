import { expect, test } from 'bun:test'
import { hostAllowed, originAllowed, safeNext } from '../../src/http/origin.ts'

const rules = { publicUrl: 'https://sac.example.com', trustedProxies: [] }

test.each(['https://evil', '//evil', '/\\evil', 'javascript:alert(1)', '', 'evil', '/x\ny', '/\t/evil'])('after sign-in %j leads to the start page', (next) => {
  expect(safeNext(next)).toBe('/')
})

test('after sign-in a path of the portal is kept', () => {
  expect(safeNext('/agents/7?x=1')).toBe('/agents/7?x=1')
})

test.each(['https://evil.test', 'null', 'https://sac.example.com.evil.test', 'https://xsac.example.com', 'http://sac.example.com', 'https://sac.example.com:444'])(
  'the origin %s is not ours',
  (origin) => {
    expect(originAllowed(origin, 'sac.example.com', { ...rules })).toBe(false)
  },
)

test('a name that anybody can point here is not our host', () => {
  expect(hostAllowed('evil.test', rules)).toBe(false)
  expect(hostAllowed('localhost.evil.test', rules)).toBe(false)
  expect(hostAllowed(null, rules)).toBe(false)
  for (const host of ['sac.example.com', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080']) expect(hostAllowed(host, rules)).toBe(true)
})
