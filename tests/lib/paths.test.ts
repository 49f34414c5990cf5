import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { depthOf, escapeName, isBelow, nameOf, parentOf, pathProblem, RelativePath, unescapeName } from '../../src/lib/paths.ts'

const long = 'x'.repeat(255)
const BAD = [
  ...['', '.', '..', '/', '../x', '/etc/passwd', 'a/../../b', 'a/..', './a', 'a/', 'a//b', 'a/./b', 'a\\b', '..\\x', 'C:\\x', 'C:x', 'c:/x'],
  ...['a\0b', 'a\nb', 'a\rb', '\ud800', 'a/\udc00', `${long}x`, `${'é'.repeat(127)}xy`, `${'a/'.repeat(64)}a`, `${'x'.repeat(200)}/`.repeat(21), `${`${long}/`.repeat(16)}a`],
]
const GOOD = [
  ...['a..b.txt', '..a', 'a..', '...', ' x ', '-rf', '#%?&+.txt', '\'"', '日本語', 'e\u0301', '\u00e9', '👩‍👩‍👧', 'CON', 'NUL.txt', '.env', '.git/config'],
  ...[
    long,
    'é'.repeat(127),
    `${'a/'.repeat(63)}a`,
    `${`${long}/`.repeat(9)}${'x'.repeat(256 - 1)}`,
    '$(touch x)',
    ';id',
    '`id`',
    'a_b/a%/c',
    'a\tb',
    'ab:c',
    'folder/C:x',
    '\ufeffbom',
    '\ufffd',
  ],
]

test.each(BAD)('%j is refused as a path', (path) => {
  expect(pathProblem(path)).toBeString()
  const refusal = (() => {
    try {
      return RelativePath.parse(path)
    } catch (error) {
      return error
    }
  })()
  expect(refusal).toBeInstanceOf(AppError)
  expect(refusal).toMatchObject({ kind: 'invalid', code: 'invalid_path' })
})

test.each(GOOD)('%j is kept byte for byte', (path) => {
  expect(Buffer.from(RelativePath.parse(path))).toEqual(Buffer.from(path))
})

test('a path of 2560 bytes is accepted and one byte more is not', () => {
  const path = `${`${long}/`.repeat(10)}${'x'.repeat(2560 - 10 * 256)}`.replace(/\/$/, 'x')
  expect(Buffer.byteLength(path)).toBe(2560)
  expect(pathProblem(`${path.slice(0, -3)}/x`)).toBeUndefined()
  expect(pathProblem(`${path.slice(0, -2)}/xx`)).toBe('This path is too long.')
})

test('two spellings of one character stay two paths', () => {
  expect(String(RelativePath.parse('e\u0301'))).not.toBe(String(RelativePath.parse('\u00e9')))
})

test('a path knows its name, its folder and its depth', () => {
  expect([nameOf('a/b/c'), nameOf('a')]).toEqual(['c', 'a'])
  expect([parentOf('a/b/c'), parentOf('a')]).toEqual(['a/b', ''])
  expect([depthOf(''), depthOf('a'), depthOf('a/b/c')]).toEqual([0, 1, 3])
})

test('only what lies behind a folder’s separator is below it', () => {
  expect([isBelow('a/b', 'a'), isBelow('a/b/c', 'a'), isBelow('a', '')]).toEqual([true, true, true])
  expect([isBelow('ab', 'a'), isBelow('a', 'a'), isBelow('a', 'a/b'), isBelow('', '')]).toEqual([false, false, false, false])
})

const bytes = (...parts: (string | number)[]) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))))
const WRITTEN: [name: string | Buffer, written: string][] = [
  ['plain.txt', 'plain.txt'],
  ['100%.txt', '100%.txt'],
  ['%41.txt', '%41.txt'],
  ['100%25.txt', '100%25.txt'],
  ['#%?&+.txt', '#%?&+.txt'],
  ['a\nb', 'a%0Ab'],
  ['a\\b', 'a%5Cb'],
  ['5%\r', '5%25%0D'],
  ['a%0Ab', 'a%250Ab'],
  ['a%250Ab', 'a%25250Ab'],
  ['a%0ab', 'a%0ab'],
  ['C:x', 'C%3Ax'],
  ['C%3Ax', 'C%253Ax'],
  [bytes('x', 0xff, 0xfe, 'y'), 'x%FF%FEy'],
  [bytes('日', 0xc3, '本%'), '日%C3本%25'],
  [bytes(0xed, 0xa0, 0x80), '%ED%A0%80'],
]

test.each(WRITTEN)('the file name %j is written as %j and found back', (name, written) => {
  expect(escapeName(name, true)).toBe(written)
  expect(Buffer.from(unescapeName(written, true) as string)).toEqual(Buffer.from(name as string))
})

test('a drive letter is only escaped at the beginning of a path', () => {
  expect(escapeName('C:x', false)).toBe('C:x')
  expect(escapeName('C%3Ax', false)).toBe('C%3Ax')
})

test('five thousand odd names stay five thousand different names and are all found back', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const pieces = ['a', 'C', ':', '%', '%25', '%0A', '%FF', '0A', '\n', '\r', '\\', 'é', '日', '👩', '\ufffd', '\ufeff', 0xff, 0xc3, 0xa9, 0x80, 0xed, 0xf0]
  const seen = new Map<string, string>()
  for (let round = 0; round < 5000; round++) {
    const name = bytes(...Array.from({ length: 1 + random(7) }, () => pieces[random(pieces.length)] ?? 'x'))
    const written = escapeName(name, true)
    const hint = `seed ${seed}, name ${name.toString('hex')}`
    if (!['.', '..'].includes(written)) expect(pathProblem(written), hint).toBeUndefined()
    expect(Buffer.from(unescapeName(written, true) as string).toString('hex'), hint).toBe(name.toString('hex'))
    expect(seen.get(written) ?? name.toString('hex'), hint).toBe(name.toString('hex'))
    seen.set(written, name.toString('hex'))
  }
})
