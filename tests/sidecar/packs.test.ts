import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, rmSync } from 'node:fs'
import { until } from '../../src/lib/until.ts'
import { built, type Mirror, startMirror } from './mirror.ts'

setDefaultTimeout(60_000)
beforeAll(built)

const FILES = 300

/** Many changes that are due at once. */
async function burst(mirror: Mirror): Promise<void> {
  await mirror.receiver.stop()
  for (let file = 0; file < FILES; file++) mirror.write(`burst/${file}`)
  await mirror.receiver.start()
  await mirror.inStep()
}

test('many small files and removals go together', async () => {
  await using mirror = await startMirror()
  await burst(mirror)
  const stored = mirror.receiver.packs.length
  expect(Math.max(...mirror.receiver.packs)).toBe(32)
  rmSync(mirror.path('burst'), { recursive: true })
  await mirror.inStep()
  expect(mirror.receiver.packs.length).toBeGreaterThan(stored)
  expect(mirror.receiver.asked.filter(({ kind }) => kind === 'remove').length).toBeGreaterThanOrEqual(FILES)
})

test.each([
  ['too much for somebody on the way', { status: 413, code: '' }],
  ['not understood', { status: 422, code: 'invalid_pack' }],
])('files of a pack that is %s go one by one', async (_what, refusal) => {
  await using mirror = await startMirror()
  mirror.receiver.refusePack = () => refusal
  await burst(mirror)
  expect(mirror.receiver.packs.length).toBeGreaterThan(0)
  expect(mirror.log).not.toContain('does not take')
})

test.each([
  ['fewer outcomes than changes', (outcomes: unknown[]) => outcomes.slice(1)],
  ['more outcomes than changes', (outcomes: unknown[]) => [...outcomes, { status: 200 }]],
  ['no outcomes', () => undefined],
  ['outcomes that are none', (outcomes: unknown[]) => outcomes.map(() => null)],
])('an answer with %s counts for nothing', async (_what, spoil) => {
  await using mirror = await startMirror()
  let spoilt = 0
  mirror.receiver.spoil = (outcomes) => (++spoilt <= 2 ? spoil(outcomes) : outcomes)
  await burst(mirror)
  expect(spoilt).toBeGreaterThan(2)
})

test('a refusal within a pack is for that file alone, and a whole pack is tried again', async () => {
  await using mirror = await startMirror()
  let tries = 0
  mirror.receiver.fault = ({ path }) => (path === 'burst/7' ? { status: 413, code: 'file_too_large' } : undefined)
  mirror.receiver.refusePack = () => (++tries <= 3 ? { status: 500 } : undefined)
  await mirror.receiver.stop()
  for (let file = 0; file < FILES; file++) mirror.write(`burst/${file}`)
  await mirror.receiver.start()
  await until(() => mirror.receiver.files.size === FILES - 1, { timeoutMs: 30_000, what: 'all but one' })
  await until(() => mirror.log.includes('does not take'), { what: 'the words about it' })
  expect(mirror.log.match(/does not take/g)).toHaveLength(1)
  mirror.receiver.fault = () => undefined
  mkdirSync(mirror.path('burst/folder'))
  mirror.write('burst/7', 'other')
  await mirror.inStep()
})
