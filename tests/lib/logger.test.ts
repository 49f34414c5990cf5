import { expect, test } from 'bun:test'
import { createLogger } from '../../src/lib/logger.ts'

const HOSTILE = 'a\r\n{"level":"error","message":"forged"}\u001b[31m\u009b31m\u2028\u0000'

function logged(format: 'json' | 'console', work: (logger: ReturnType<typeof createLogger>) => void): string {
  let text = ''
  work(
    createLogger({
      level: 'debug',
      format,
      write: (line) => {
        text += line
      },
    }),
  )
  return text
}

test.each(['json', 'console'] as const)('hostile words make one %s line without control characters', (format) => {
  const text = logged(format, (logger) => logger.with({ agent: HOSTILE }).warn(HOSTILE, { userAgent: HOSTILE, [HOSTILE]: 1, error: new Error(HOSTILE) }))
  expect(text.endsWith('\n')).toBe(true)
  expect(text.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
  if (format === 'json') expect(JSON.parse(text)).toMatchObject({ level: 'warn', message: HOSTILE, userAgent: HOSTILE })
})

test('secrets are cut out by key and by shape, however deep they are', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIiwic2lkIjoieCJ9.c2lnbmF0dXJlc2lnbmF0dXJl'
  const text = logged('json', (logger) =>
    logger.error(`at postgres://sac:canary-db@host/db with ${jwt}`, {
      password: 'canary-1',
      deep: { list: [{ authToken: 'canary-2', api_key: 'canary-3' }] },
      url: `/ws/1?ticket=canary-4&token=canary-5`,
      redis: 'redis://:canary-6@host',
      error: new Error(`key sk-ant-canary7canary7 refused`, { cause: new Error(`redis://user:canary-8@host`) }),
    }),
  )
  expect(text).not.toMatch(/canary/)
  expect(text).not.toContain(jwt)
  expect(text).toContain('[redacted]')
})
