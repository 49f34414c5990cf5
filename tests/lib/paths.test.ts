import { expect, test } from 'bun:test'
import { pathProblem, RelativePath } from '../../src/lib/paths.ts'

const BAD = [
  '',
  '.',
  '..',
  '../x',
  '/etc/passwd',
  'a/../../b',
  'a/',
  'a//b',
  'a/./b',
  'a\\b',
  'C:\\x',
  'C:x',
  'a\0b',
  'a\nb',
  'a\rb',
  '\ud800',
  'x'.repeat(256),
  `${'a/'.repeat(64)}a`,
  `${'x'.repeat(200)}/`.repeat(21),
]
const GOOD = ['a..b.txt', ' x ', '-rf', '#%?&+.txt', '\'"', '日本語', 'e\u0301', '\u00e9', '👩‍👩‍👧', 'x'.repeat(255), 'CON', '.env', '$(touch x)', ';id', '`id`', 'a_b/a%/c']

test.each(BAD)('%j is refused as a path', (path) => {
  expect(pathProblem(path)).toBeString()
  expect(() => RelativePath.parse(path)).toThrow()
})

test.each(GOOD)('%j is kept byte for byte', (path) => {
  expect(String(RelativePath.parse(path))).toBe(path)
})
