import { expect, test } from 'bun:test'
import { urlProblem } from '../../src/lib/url-rules.ts'

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
