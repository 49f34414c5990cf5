import { expect, test } from 'bun:test'
import { clientAddress, hostAllowed, originAllowed, safeNext } from '../../src/http/origin.ts'

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

test.each([
  ['an address', ['10.0.0.7'], '10.0.0.7', '203.0.113.9'],
  ['a network', ['10.0.0.0/8'], '::ffff:10.9.9.9', '203.0.113.9'],
  ['a network of IPv6', ['fd00::/8'], 'fd00::5', '203.0.113.9'],
  ['another network', ['10.0.0.0/16'], '10.1.0.1', '10.1.0.1'],
  ['nobody', [], '10.0.0.7', '10.0.0.7'],
])('with %s as the trusted proxy the client is the nearest hop that is none', (_what, trustedProxies, peer, client) => {
  const request = new Request('https://sac.example.com/', { headers: { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.0.0.7' } })
  expect(clientAddress(peer, request, { trustedProxies: [...trustedProxies, ...(trustedProxies.length > 0 ? ['10.0.0.7'] : [])] })).toBe(client)
})
