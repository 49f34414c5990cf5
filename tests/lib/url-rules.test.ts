import { expect, test } from 'bun:test'
import { isHostPattern, urlProblem } from '../../src/lib/url-rules.ts'

const NEVER = [
  'file:///etc/passwd',
  'gopher://x.example',
  'https://user:pass@api.example.com',
  'http://169.254.169.254/',
  'http://[::ffff:169.254.169.254]/',
  'http://metadata.google.internal/',
  'https://api.example.com:22',
  'x',
  'http://2852039166/',
  'https://a b',
]
const PRIVATE = [
  'http://127.0.0.1:9000',
  'http://2130706433',
  'http://0x7f.1',
  'http://017700000001',
  'http://[::1]',
  'http://[::ffff:10.0.0.1]',
  'https://192.168.1.1',
  'https://localhost',
  'https://10.1.2.3',
  'https://100.64.0.1',
  'https://[fd00::1]',
]

test.each(NEVER)('%s is never allowed', (url) => {
  expect(urlProblem(url, { allowPrivate: true })).toBeString()
  expect(urlProblem(url, { allowPrivate: false })).toBeString()
})

test.each(PRIVATE)('%s is allowed only where private addresses are', (url) => {
  expect(urlProblem(url, { allowPrivate: false })).toBeString()
  expect(urlProblem(url, { allowPrivate: true })).toBeUndefined()
})

test('a public https address is allowed everywhere', () => {
  expect(urlProblem('https://api.anthropic.com', { allowPrivate: false })).toBeUndefined()
})

const OURS = ['llm.corp.internal', '*.models.svc.cluster.local', '10.20.0.0/24', 'fd00:1::/64', '192.168.7.7']

test.each([
  'http://llm.corp.internal:8080',
  'https://a.models.svc.cluster.local',
  'http://10.20.0.9:8000/v1',
  'http://[::ffff:10.20.0.9]',
  'http://[fd00:1::5]',
  'https://192.168.7.7',
])('%s is allowed where the organisation’s own models are', (url) => {
  expect(urlProblem(url, { allowPrivate: false, privateHosts: OURS })).toBeUndefined()
  expect(urlProblem(url, { allowPrivate: false })).toBeString()
})

test.each([
  'http://other.corp.internal',
  'https://models.svc.cluster.local',
  'http://evil-llm.corp.internal',
  'http://10.20.1.9',
  'http://[fd00:2::5]',
  'http://192.168.7.8',
  'http://api.example.com',
  'http://llm.corp.internal:22',
])('%s is not among them', (url) => expect(urlProblem(url, { allowPrivate: false, privateHosts: OURS })).toBeString())

test.each(NEVER)('%s is never allowed, whatever an operator lists', (url) => {
  expect(urlProblem(url, { allowPrivate: false, privateHosts: ['0.0.0.0/0', '::/0', 'metadata.google.internal'] })).toBeString()
})

test('what may be listed are names, addresses and networks', () => {
  expect([...OURS, 'llm'].filter((item) => !isHostPattern(item))).toEqual([])
  expect(['', '*', 'a b', 'http://llm', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0', 'x..y', '-x'].filter(isHostPattern)).toEqual([])
})
