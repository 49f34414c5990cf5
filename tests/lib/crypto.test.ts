import { expect, test } from 'bun:test'
import { SecretBox } from '../../src/lib/crypto.ts'
import { createLogger } from '../../src/lib/logger.ts'

test('a sealed secret opens with its key and in its own row only', () => {
  const box = new SecretBox(['11'.repeat(32)])
  const sealed = box.seal('sk-canary', 'agents:1:token')
  expect(sealed).not.toContain('canary')
  expect(box.open(sealed, 'agents:1:token')).toBe('sk-canary')
  expect(() => box.open(sealed, 'agents:2:token')).toThrow()
  expect(() => new SecretBox(['22'.repeat(32)]).open(sealed, 'agents:1:token')).toThrow()
  expect(new SecretBox(['22'.repeat(32), '11'.repeat(32)]).open(sealed, 'agents:1:token')).toBe('sk-canary')
})

test('a log line is one line and holds no secret', () => {
  const lines: string[] = []
  for (const format of ['json', 'console'] as const) {
    const logger = createLogger({ level: 'debug', format, write: (line) => lines.push(line) })
    logger.info('probe\r\n{"level":"error"}\u001b[31m', {
      password: 'canary-1',
      path: '/x?token=canary-2',
      url: 'postgres://u:canary-3@h/db',
      text: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ',
    })
  }
  for (const line of lines) {
    expect(line.trimEnd().split('\n')).toHaveLength(1)
    expect(line).not.toMatch(/canary-\d|c2lnbmF0dXJl/)
    expect(line).not.toContain('\u001b')
  }
})
