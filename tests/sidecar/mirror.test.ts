import { expect, setDefaultTimeout, test } from 'bun:test'
import { appendFileSync, closeSync, mkdirSync, openSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { Mirror, startMirror } from './mirror.ts'

setDefaultTimeout(60_000)

test('files in folders that are made at the same moment arrive', async () => {
  await using mirror = await startMirror()
  mirror.write('a/b/c/d/deep.txt')
  mirror.write('top.txt')
  mirror.write('empty', '')
  await mirror.inStep()
  expect([...mirror.receiver.files.keys()].sort()).toEqual(['a/b/c/d/deep.txt', 'empty', 'top.txt'])
})

test('what was there before the start arrives, hidden files too', async () => {
  await using mirror = new Mirror()
  mirror.write('.env', 'A=1')
  mirror.write('.config/app/settings.json')
  mirror.write('a/b')
  await mirror.start()
  await mirror.inStep()
  mirror.write('.later/.hidden')
  await mirror.inStep()
  expect(mirror.receiver.files.size).toBe(4)
})

test('moves, renamed folders, deletes and names that are used again are followed', async () => {
  await using mirror = await startMirror()
  for (let file = 0; file < 50; file++) mirror.write(`a/b/${file}`)
  await mirror.inStep()
  renameSync(mirror.path('a/b'), mirror.path('a/moved'))
  await mirror.inStep()
  // A tree that comes from elsewhere, with one event for all of it.
  mkdirSync(join(mirror.folder, 'outside/x/y'), { recursive: true })
  writeFileSync(join(mirror.folder, 'outside/x/y/z'), 'from outside')
  renameSync(join(mirror.folder, 'outside'), mirror.path('inside'))
  renameSync(mirror.path('a'), join(mirror.folder, 'gone'))
  await mirror.inStep()
  expect([...mirror.receiver.files.keys()]).toEqual(['inside/x/y/z'])
  // A folder becomes a file, a file a folder.
  rmSync(mirror.path('inside'), { recursive: true })
  mirror.write('inside', 'now a file')
  await mirror.inStep()
  unlinkSync(mirror.path('inside'))
  mirror.write('inside/again/deep')
  await mirror.inStep()
  // The same name holds another tree: what lay in the first only is gone.
  mirror.write('other/again/new')
  renameSync(mirror.path('inside'), join(mirror.folder, 'away'))
  renameSync(mirror.path('other'), mirror.path('inside'))
  await mirror.inStep()
  expect([...mirror.receiver.files.keys()]).toEqual(['inside/again/new'])
})

test('an empty file, a shorter one and one with the same length but other bytes are new content', async () => {
  await using mirror = await startMirror()
  mirror.write('file', 'first')
  await mirror.inStep()
  for (const content of ['other', '', 'x'.repeat(200_000), 'y'.repeat(200_000), 'short']) {
    mirror.write('file', content)
    await mirror.inStep()
  }
  truncateSync(mirror.path('file'), 2)
  await mirror.inStep()
})

test('what editors and the CLI write only to rename it is never sent, at the start or later', async () => {
  await using mirror = new Mirror()
  const passing = ['.page.html.swp', 'page.html~', 'page.html.tmp.4711.1790000000000', 'page.html.tmp.12.9f3a']
  const lasting = ['notes.tmp', 'a.tmp.txt', 'x.swp.txt', '~start', 'tmp.1']
  for (const name of [...passing, ...lasting]) mirror.write(`before/${name}`)
  await mirror.start()
  for (const name of [...passing, ...lasting]) mirror.write(`after/${name}`)
  mirror.write('page.html.tmp.4711.1790000000001', 'written whole, then renamed')
  renameSync(mirror.path('page.html.tmp.4711.1790000000001'), mirror.path('page.html'))
  const expected = ['page.html', ...['before', 'after'].flatMap((folder) => lasting.map((name) => `${folder}/${name}`))].sort()
  await until(() => mirror.receiver.files.size >= expected.length, { what: 'all lasting files' })
  mirror.write('last')
  await until(() => mirror.receiver.files.has('last'), { what: 'the last file' })
  expect([...mirror.receiver.files.keys()].sort()).toEqual([...expected, 'last'].sort())
  expect(mirror.receiver.asked.filter(({ path }) => passing.some((name) => path.endsWith(name)))).toEqual([])
})

test('a log that never stops growing is sent every few seconds, and in the end it is whole', async () => {
  await using mirror = await startMirror()
  const log = openSync(mirror.path('run.log'), 'w')
  const writing = setInterval(() => writeSync(log, `${performance.now()} a line of the log\n`), 5)
  try {
    await until(() => (mirror.receiver.files.get('run.log')?.size ?? 0) > 1000, { timeoutMs: 15_000, what: 'a first part of the log' })
    const sent = mirror.receiver.asked.length
    // Not with every line.
    expect(sent).toBeLessThan(20)
    await until(() => mirror.receiver.asked.length > sent, { timeoutMs: 15_000, what: 'a further part of the log' })
  } finally {
    clearInterval(writing)
    closeSync(log)
  }
  await mirror.inStep()
})

test('a large file is streamed in little memory, and small ones pass it', async () => {
  await using mirror = await startMirror()
  const bytes = 300 * 1024 ** 2
  const part = crypto.getRandomValues(new Uint8Array(65_536))
  const file = openSync(mirror.path('large.bin'), 'w')
  for (let at = 0; at < bytes; at += 16 * part.byteLength) writeSync(file, Buffer.concat(Array.from({ length: 16 }, (_, index) => part.map((byte) => byte ^ (at + index)))))
  closeSync(file)
  let passed = 0
  mirror.receiver.fault = async ({ path }) => {
    // Holds the large one until small ones came after it.
    if (path === 'large.bin') await until(() => passed >= 20, { timeoutMs: 20_000, what: 'small files beside the large one' })
    else passed++
    return undefined
  }
  await until(() => mirror.receiver.asked.some(({ path }) => path === 'large.bin'), { timeoutMs: 20_000, what: 'the large file' })
  for (let index = 0; index < 20; index++) mirror.write(`small-${index}`)
  await until(() => mirror.receiver.files.get('large.bin')?.size === bytes, { timeoutMs: 30_000, what: 'the whole large file' })
  expect(mirror.memoryKiB('VmHWM')).toBeLessThan(64 * 1024)
  await mirror.inStep()
})

test('a file that is cut short while it is sent arrives as it is afterwards', async () => {
  await using mirror = await startMirror()
  mirror.receiver.fault = ({ path, kind }) => {
    if (kind === 'upload' && path === 'shrinking') truncateSync(mirror.path('shrinking'), 1_000_000)
    return undefined
  }
  mirror.write('shrinking', new Uint8Array(64 * 1024 ** 2).fill(7))
  await until(() => mirror.receiver.files.get('shrinking')?.size === 1_000_000, { timeoutMs: 20_000, what: 'the short file' })
  await mirror.inStep()
})

test('a file that grows while it is sent is never stored half', async () => {
  await using mirror = await startMirror()
  let grown = 0
  mirror.receiver.fault = () => {
    if (grown++ < 5) appendFileSync(mirror.path('growing'), 'x'.repeat(100_000))
    return undefined
  }
  mirror.write('growing', 'x'.repeat(1_000_000))
  await until(() => grown >= 5, { timeoutMs: 30_000, what: 'five sends' })
  await mirror.inStep()
  expect(mirror.receiver.files.get('growing')?.size).toBe(1_500_000)
})

test('a file is not sent again when nothing changed, also after a restart', async () => {
  await using mirror = await startMirror()
  for (let file = 0; file < 20; file++) mirror.write(`f${file}`)
  await mirror.inStep()
  expect(await mirror.end()).toBe(0)
  const asked = mirror.receiver.asked.length
  mirror.write('while-away')
  unlinkSync(mirror.path('f0'))
  await mirror.start()
  await mirror.inStep()
  expect(mirror.receiver.asked.slice(asked).map(({ kind, path }) => `${kind} ${path}`)).toEqual(['remove f0', 'upload while-away'])
})

test('what was written a moment before the end is still sent', async () => {
  await using mirror = await startMirror()
  mirror.write('first')
  await mirror.inStep()
  for (let file = 0; file < 100; file++) mirror.write(`last/${file}`)
  expect(await mirror.end()).toBe(0)
  expect(mirror.receiver.files.size).toBe(101)
})
