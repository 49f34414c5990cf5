import { expect, test } from 'bun:test'
import { themeOf } from '../../src/http/theme.ts'

test.each([
  ['light', '', 'light'],
  ['dark', 'sac-scheme=light', 'dark'],
  ['system', 'sac=abc; sac-scheme=light', 'light'],
  ['system', 'sac-scheme=dark', 'dark'],
  ['system', 'sac-scheme=neon', 'dark'],
  ['system', '', 'dark'],
] as const)('a terminal of somebody with the theme %s and the cookies “%s” starts %s', (theme, cookie, expected) => {
  expect(themeOf({ theme }, new Request('http://localhost/', { headers: cookie ? { cookie } : {} }))).toBe(expected)
})
