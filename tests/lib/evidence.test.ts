import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { withoutSecrets, wordsOf } from '../../src/lib/evidence.ts'

const KEY = 'p"ss wörd/with+all=of\\it'

test.each([
  ['as it is', KEY],
  ['inside JSON', JSON.stringify({ value: KEY })],
  ['in base64', Buffer.from(KEY).toString('base64')],
  ['in an address', `https://x.example/?q=${encodeURIComponent(KEY)}`],
])('a secret is taken out of what a system says: %s', (_name, said) => {
  const text = withoutSecrets(`admission refused it: ${said}, and again ${said}`, [KEY])
  expect(text).toContain('[hidden]')
  for (const spelling of [KEY, JSON.stringify(KEY).slice(1, -1), Buffer.from(KEY).toString('base64'), encodeURIComponent(KEY)]) expect(text).not.toContain(spelling)
})

test('one secret inside another leaves nothing of the longer one', () => {
  expect(withoutSecrets('said: secret-one-and-more', ['secret-one', 'secret-one-and-more'])).toBe('said: [hidden]')
})

test('what looks like a credential goes, known or not; sentences stay; endless texts are cut', () => {
  const token = `eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`
  expect(withoutSecrets(`sk-ant-0123456789abcdef ${token} https://me:hunter22@proxy.example`, [])).toBe('[redacted] [redacted] https://me:[redacted]@proxy.example')
  const sentence = '0/3 nodes are available: 3 Insufficient cpu.'
  expect(withoutSecrets(sentence, ['', '1', 'true', '3', '  '])).toBe(sentence)
  expect(withoutSecrets('x'.repeat(100_000), []).length).toBe(4000)
})

test('the words of an error are those of its deepest cause', () => {
  expect(wordsOf(new AppError('unavailable', 'x', 'For people.', { cause: new Error('between', { cause: new Error('quota exceeded') }) }))).toBe('quota exceeded')
  expect(wordsOf('nothing')).toBeUndefined()
})
