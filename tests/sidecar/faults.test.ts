import { Database } from 'bun:sqlite'
import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSamePlace, placeOf } from '../../sidecar/place.ts'
import { until } from '../../src/lib/until.ts'
import { type Fault, Mirror, seeded, startMirror } from './mirror.ts'

setDefaultTimeout(120_000)

const FILES = 10_000
// The limit that a sidecar keeps in a storm.
const STORM_KIB = 64 * 1024

test('ten thousand files in one folder and in a hundred new folders all arrive, in little memory', async () => {
  await using mirror = await startMirror()
  mkdirSync(mirror.path('one'))
  for (let file = 0; file < FILES; file++) writeFileSync(mirror.path(`one/${file}.txt`), `content of ${file}`)
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(mirror.path(`many/${folder}`), { recursive: true })
    for (let file = 0; file < FILES / 100; file++) writeFileSync(mirror.path(`many/${folder}/${file}.txt`), `content of ${folder} ${file}`)
  }
  await until(() => mirror.receiver.files.size === 2 * FILES, { timeoutMs: 60_000, what: 'all files' })
  await mirror.inStep()
  expect(mirror.receiver.most).toBeLessThanOrEqual(20)
  // All of them move at once.
  renameSync(mirror.path('many'), mirror.path('moved'))
  await until(() => mirror.receiver.files.has('moved/99/99.txt') && !mirror.receiver.files.has('many/99/99.txt'), { timeoutMs: 60_000, what: 'the last moved file' })
  await mirror.inStep(60_000)
  expect(mirror.memoryKiB('VmHWM')).toBeLessThan(STORM_KIB)
})

test('a burst that overruns the system’s queue while the sidecar sleeps is found whole', async () => {
  await using mirror = await startMirror()
  mirror.write('before')
  await mirror.inStep()
  mirror.signal('SIGSTOP')
  const queue = Number(await Bun.file('/proc/sys/fs/inotify/max_queued_events').text())
  for (let file = 0; file < Math.min(queue, 20_000) + 1000; file++) writeFileSync(mirror.path(`f${file % 9000}`), `content of ${file}`)
  mkdirSync(mirror.path('unseen/folder'), { recursive: true })
  writeFileSync(mirror.path('unseen/folder/file'), 'x')
  unlinkSync(mirror.path('before'))
  mirror.signal('SIGCONT')
  await mirror.inStep(60_000)
})

test('killed twenty times at random moments, with a failing server and lost answers, it ends as a true mirror', async () => {
  const { below, chance } = seeded()
  await using mirror = await startMirror()
  const faults: Fault[] = [{ status: 500 }, { status: 503 }, 'cut', 'lose', 'lose']
  mirror.receiver.fault = () => (chance(0.2) ? faults[below(faults.length)] : undefined)
  for (let kill = 0; kill < 20; kill++) {
    const operations = 40 + below(160)
    for (let operation = 0; operation < operations; operation++) {
      change(mirror, below)
      if (operation % 10 === 0) await Bun.sleep(below(4))
    }
    await mirror.end('SIGKILL')
    for (let operation = 0; operation < below(30); operation++) change(mirror, below)
    await mirror.start()
  }
  mirror.receiver.fault = () => undefined
  await mirror.inStep(60_000)
})

test('an outage costs one small try at a time, and all is sent soon after it', async () => {
  await using mirror = await startMirror()
  mirror.write('first')
  await mirror.inStep()
  await mirror.receiver.stop()
  for (let file = 0; file < 2000; file++) mirror.write(`while-away/${file}`)
  unlinkSync(mirror.path('first'))
  await until(() => (mirror.log.match(/cannot be reached/g)?.length ?? 0) >= 5, { timeoutMs: 20_000, what: 'five tries' })
  await mirror.receiver.start()
  await mirror.inStep(20_000)
})

test('a server that asks for time gets it, and nothing else is sent meanwhile', async () => {
  await using mirror = await startMirror()
  let refusedAt = 0
  mirror.receiver.fault = ({ at }) => {
    if (refusedAt > 0) return undefined
    refusedAt = at
    return { status: 503, retryAfterS: 2 }
  }
  mirror.write('a')
  await until(() => refusedAt > 0, { what: 'the refusal' })
  mirror.write('b')
  await mirror.inStep()
  expect(Math.min(...mirror.receiver.asked.filter(({ at }) => at > refusedAt).map(({ at }) => at - refusedAt))).toBeGreaterThanOrEqual(1990)
})

test('a file that the server cannot store now is tried again and holds up no other', async () => {
  await using mirror = await startMirror()
  let tries = 0
  mirror.receiver.fault = ({ path }) => (path === 'poison' && ++tries < 6 ? { status: 507, code: 'disk_full' } : undefined)
  mirror.write('poison')
  await until(() => tries > 0, { what: 'a first try' })
  for (let file = 0; file < 50; file++) mirror.write(`well/${file}`)
  await until(() => mirror.receiver.files.size >= 50, { timeoutMs: 1500, what: 'the others' })
  await mirror.inStep()
})

test('a file that the server will never take is told once and sent again only when it changes', async () => {
  await using mirror = await startMirror()
  mirror.receiver.fault = ({ path }) => (path === 'too-big' ? { status: 413, code: 'file_too_large' } : undefined)
  mirror.write('too-big')
  await until(() => mirror.log.includes('does not take'), { what: 'the words about it' })
  mirror.write('other')
  await until(() => mirror.receiver.files.has('other'), { what: 'the other file' })
  expect(mirror.receiver.asked.filter(({ path }) => path === 'too-big')).toHaveLength(1)
  mirror.receiver.fault = () => undefined
  mirror.write('too-big', 'smaller')
  await mirror.inStep()
  expect(mirror.log.match(/does not take/g)).toHaveLength(1)
})

test('with a token that is no longer good it ends at once, and says so by its exit code', async () => {
  await using mirror = await startMirror()
  mirror.receiver.fault = () => ({ status: 401, code: 'unauthorized' })
  mirror.write('a')
  expect(await mirror.exited).toBe(77)
  expect(mirror.receiver.files.size).toBe(0)
  mirror.receiver.fault = () => undefined
  await mirror.start()
  await mirror.inStep()
})

test('a removed output folder comes back, its files are gone, and new ones arrive', async () => {
  await using mirror = await startMirror()
  for (let file = 0; file < 200; file++) mirror.write(`${file % 10}/${file}`)
  await mirror.inStep()
  rmSync(mirror.output, { recursive: true })
  await until(() => existsSync(mirror.output), { what: 'the folder' })
  await mirror.inStep()
  expect(mirror.receiver.files.size).toBe(0)
  mirror.write('new/one')
  await mirror.inStep()
  renameSync(mirror.output, `${mirror.output}-old`)
  await until(() => existsSync(mirror.output), { what: 'the folder again' })
  mirror.write('newer/one')
  await mirror.inStep()
  expect([...mirror.receiver.files.keys()]).toEqual(['newer/one'])
})

test('an output folder that became a link is neither followed nor taken for empty', async () => {
  await using mirror = await startMirror()
  mirror.write('mine')
  await mirror.inStep()
  mkdirSync(join(mirror.folder, 'secrets'))
  writeFileSync(join(mirror.folder, 'secrets', 'key'), 'secret')
  rmSync(mirror.output, { recursive: true })
  symlinkSync(join(mirror.folder, 'secrets'), mirror.output)
  // The folder may have been made again in the moment between.
  if (!lstatSync(mirror.output).isSymbolicLink()) return
  await until(() => mirror.log.includes('cannot be watched'), { what: 'the words about it' })
  writeFileSync(join(mirror.folder, 'secrets', 'later'), 'secret')
  expect([...mirror.receiver.files.keys()]).toEqual(['mine'])
  unlinkSync(mirror.output)
  await mirror.inStep()
  expect(mirror.receiver.asked.filter(({ path }) => path === 'key' || path === 'later')).toEqual([])
})

test('another disk in the folder’s place removes nothing from the server', async () => {
  await using mirror = await startMirror()
  mirror.write('kept')
  await mirror.inStep()
  // What is mounted elsewhere has another parent, as this has.
  renameSync(join(mirror.folder, 'workspace'), join(mirror.folder, 'unmounted'))
  mkdirSync(join(mirror.folder, 'workspace'))
  await until(() => existsSync(mirror.output), { what: 'the new folder' })
  mirror.write('new')
  await until(() => mirror.receiver.files.has('new'), { what: 'a file of the new folder' })
  expect([...mirror.receiver.files.keys()].sort()).toEqual(['kept', 'new'])
  rmSync(join(mirror.folder, 'workspace'), { recursive: true })
  await until(() => mirror.log.includes('cannot be watched'), { what: 'the words about it' })
  renameSync(join(mirror.folder, 'unmounted'), join(mirror.folder, 'workspace'))
  mirror.write('after')
  await until(() => mirror.receiver.files.has('after'), { what: 'a file of the first folder' })
  expect(mirror.receiver.files.has('kept')).toBe(true)
})

test('a volume that comes back under another device number is the same one: nothing is sent again, nothing that was removed there reappears', async () => {
  await using mirror = await startMirror()
  mirror.write('kept')
  mirror.write('removed by somebody at the portal')
  await mirror.inStep()
  await mirror.end()
  mirror.receiver.files.delete('removed by somebody at the portal')
  // Device numbers cannot be had as one likes: the journal remembers another one, as it does after a volume was attached anew.
  const { dev, ino } = statSync(join(mirror.folder, 'workspace'))
  const journal = new Database(mirror.journal)
  journal.run("update facts set value = ? where name = 'place'", [`${dev + 1}:${ino}:${dev + 1}`])
  journal.close()
  const before = mirror.receiver.asked.length
  await mirror.start()
  mirror.write('after')
  await until(() => mirror.receiver.files.has('after'), { what: 'a new file' })
  expect(mirror.receiver.asked.slice(before).map(({ path }) => path)).toEqual(['after'])
  expect(mirror.receiver.files.has('removed by somebody at the portal')).toBe(false)
})

test('a place is its parent folder beside the journal, whatever the device; elsewhere the device counts', () => {
  const numbers = (dev: number, ino: number) => ({ dev, ino })
  const inPod = (dev: number, ino = 7) => placeOf({ root: numbers(dev, 9), parent: numbers(dev, ino), journal: numbers(dev, 3) })
  expect(inPod(41)).toBe(inPod(42))
  expect(inPod(41)).not.toBe(inPod(41, 8))
  const mounted = (dev: number) => placeOf({ root: numbers(dev, 2), parent: numbers(1, 7), journal: numbers(1, 3) })
  expect(mounted(41)).not.toBe(mounted(42))
  expect(isSamePlace(mounted(41), mounted(42))).toBe(false)
  expect(isSamePlace(mounted(41), inPod(1))).toBe(false)
  expect(isSamePlace('41:7:41', inPod(42))).toBe(true)
  expect(isSamePlace('41:8:41', inPod(42))).toBe(false)
})

test('a sidecar that cannot open more files removes nothing and goes on when it can', async () => {
  await using mirror = new Mirror(['/bin/sh', '-c', 'ulimit -n 56; exec "$@"', 'sh'])
  for (let file = 0; file < 300; file++) mirror.write(`${file % 30}/a/b/c/${file}`, 'x'.repeat(70_000 * (file % 2)))
  await mirror.start()
  await mirror.inStep(60_000)
  expect(mirror.receiver.asked.filter(({ kind }) => kind === 'remove')).toEqual([])
})

test('a journal that is destroyed costs only that everything is sent again', async () => {
  await using mirror = await startMirror()
  for (let file = 0; file < 10; file++) mirror.write(`f${file}`)
  await mirror.inStep()
  await mirror.end('SIGKILL')
  for (const end of ['-wal', '-shm']) rmSync(mirror.journal + end, { force: true })
  writeFileSync(mirror.journal, 'this is no database, but it is long enough to look like one '.repeat(100))
  mirror.receiver.files.clear()
  await mirror.start()
  await mirror.inStep()
})

test('on a full disk it goes on living, and sends everything once there is room', async () => {
  await using mirror = new Mirror()
  const disk = join(mirror.folder, 'hidden-disk')
  mkdirSync(disk)
  const mounted = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]).exitCode === 0
  if (!mounted) return
  try {
    await mirror.start({ SAC_JOURNAL: join(disk, 'journal.sqlite') })
    mirror.write('first')
    await mirror.inStep()
    let filled = 0
    try {
      for (; filled < 4000; filled++) writeFileSync(join(disk, `fill-${filled}`), new Uint8Array(4096))
    } catch {}
    for (let file = 0; file < 3000; file++) mirror.write(`many/${file}-${'long-name'.repeat(5)}`)
    await until(() => /cannot be (noted|written) now/.test(mirror.log), { timeoutMs: 20_000, what: 'the words about it' })
    for (; filled >= 0; filled--) rmSync(join(disk, `fill-${filled}`), { force: true })
    await mirror.inStep()
  } finally {
    await mirror.end('SIGKILL')
    Bun.spawnSync(['umount', '-l', disk])
  }
})

/** One random change of a small tree. */
function change(mirror: Mirror, below: (limit: number) => number): void {
  const folder = ['', 'a', 'a/b', 'c', 'c/d/e'][below(5)] ?? ''
  const name = join(folder, `n${below(12)}`)
  const other = join(['', 'a', 'c'][below(3)] ?? '', `n${below(12)}`)
  try {
    const act = below(10)
    if (act < 6) mirror.write(name, `${below(1e9)}`.repeat(1 + below(30)))
    else if (act < 7) unlinkSync(mirror.path(name))
    else if (act < 8) renameSync(mirror.path(name), mirror.path(other))
    else if (act < 9 && folder !== '') renameSync(mirror.path(folder), mirror.path(other))
    else if (folder !== '') rmSync(mirror.path(folder), { recursive: true })
  } catch {
    // @NOTE a random change that is not possible now is none.
  }
}
