// Sizes, times and names as people read them.
import { expect, test } from 'bun:test'
import { ago, count, day, elapsed, fileSize } from '../../views/components/measures.ts'
import { initials } from '../../views/navigation.tsx'
import { browserName } from '../../views/users/account.tsx'
import { fileIcon, fileKind } from '../../views/workspace/files.ts'

const NOW = new Date('2026-11-24T12:00:00Z')
const before = (seconds: number) => new Date(NOW.getTime() - seconds * 1000)

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KB'],
  [1230, '1.2 KB'],
  [86_016, '84 KB'],
  [3_040_870, '2.9 MB'],
  [5e12, '4.5 TB'],
  [5e15, '4547 TB'],
])('%i bytes are %s', (bytes, words) => expect(fileSize(bytes)).toBe(words))

test.each([
  [-5, 'just now'],
  [59, 'just now'],
  [60, '1 min'],
  [3599, '59 min'],
  [7300, '2 h'],
  [90_000, '23 Nov'],
])('%i seconds ago is %s', (seconds, words) => expect(ago(before(seconds), NOW)).toBe(words))

test('a day of another year has its year', () => expect(day(new Date('2025-01-02T00:00:00Z'), NOW)).toBe('2 Jan 2025'))
test('a start counts minutes and seconds', () => expect([elapsed(before(14), NOW), elapsed(before(125), NOW), elapsed(before(-3), NOW)]).toEqual(['0:14', '2:05', '0:00']))
test('one file is not one files', () => expect([count(1, 'file'), count(1204, 'file')]).toEqual(['1 file', '1,204 files']))

test.each([
  ['Mira Kessler', 'MK'],
  ['mira', 'M'],
  ['  Ana  María  de la Cruz ', 'AC'],
  ['王 小明', '王小'],
  ['👩‍👩‍👧 family', '👩‍👩‍👧F'],
  ['', ''],
])('the initials of “%s” are %s', (name, short) => expect(initials(name)).toBe(short))

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36', 'Chrome on Linux'],
  ['Mozilla/5.0 (Macintosh) Version/19 Safari/605', 'Safari on macOS'],
  ['Mozilla/5.0 (Windows NT 10.0) Chrome/156 Safari/537 Edg/156', 'Edge on Windows'],
  ['curl/8.9', 'curl'],
  ['', 'Unknown program'],
])('“%s” is %s', (userAgent, words) => expect(browserName(userAgent)).toBe(words))

test('names of files tell what is in them', () => {
  expect([fileIcon('a.PNG'), fileIcon('b.csv'), fileIcon('c.tsx'), fileIcon('README'), fileIcon('d.tar.gz')]).toEqual([
    'file-image',
    'file-spreadsheet',
    'file-code',
    'file-text',
    'archive',
  ])
  expect([fileKind('a.zip'), fileKind('README'), fileKind('x.<b>')]).toEqual(['Archive, .zip', 'File', 'File'])
})
