import { expect, setDefaultTimeout, test } from 'bun:test'
import { linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { ODD_NAMES } from '../support/odd-names.ts'
import { built, Mirror, SIDECAR, startMirror } from './mirror.ts'

setDefaultTimeout(60_000)

const SWAPPED = 200
const CANARY = 'CANARY-7f3a9 what no sandbox may see'

/** Waits until a file that is written now has arrived: whatever was there before has had its turn. */
async function passed(mirror: Mirror, name = `marker-${mirror.receiver.asked.length}`): Promise<void> {
  mirror.write(name)
  await until(() => mirror.receiver.files.has(name), { timeoutMs: 5000, what: 'a file behind the odd ones' })
}

test('links, pipes, sockets and files with a second name are never sent, and hold up nothing', async () => {
  await using mirror = new Mirror()
  const secrets = join(mirror.folder, 'secrets')
  mkdirSync(secrets)
  writeFileSync(join(secrets, 'canary'), CANARY)
  const plant = (folder: string) => {
    mkdirSync(mirror.path(folder))
    symlinkSync(join(secrets, 'canary'), mirror.path(`${folder}/link`))
    symlinkSync(secrets, mirror.path(`${folder}/folder-link`))
    symlinkSync('.', mirror.path(`${folder}/loop`))
    symlinkSync('/dev/zero', mirror.path(`${folder}/endless`))
    linkSync(join(secrets, 'canary'), mirror.path(`${folder}/second-name`))
    expect(Bun.spawnSync(['mkfifo', mirror.path(`${folder}/pipe`)]).exitCode).toBe(0)
  }
  plant('before')
  await mirror.start()
  plant('after')
  const listener = createServer().listen(mirror.path('socket'))
  await passed(mirror)
  // A file that was sent becomes each of them.
  for (const name of ['a', 'b', 'c']) mirror.write(name)
  await mirror.inStep()
  for (const name of ['a', 'b', 'c']) unlinkSync(mirror.path(name))
  symlinkSync(join(secrets, 'canary'), mirror.path('a'))
  linkSync(join(secrets, 'canary'), mirror.path('b'))
  Bun.spawnSync(['mkfifo', mirror.path('c')])
  await passed(mirror)
  await mirror.inStep()
  listener.close()
  expect([...mirror.receiver.files.keys()].filter((path) => !path.startsWith('marker'))).toEqual([])
  expect(mirror.receiver.everSent.has(sha256Hex(CANARY))).toBe(false)
})

test('a file that gains a second name for a moment stays, and is followed again afterwards', async () => {
  await using mirror = await startMirror()
  mirror.write('kept', 'one')
  await mirror.inStep()
  linkSync(mirror.path('kept'), join(mirror.folder, 'second'))
  writeFileSync(mirror.path('kept'), 'two')
  await passed(mirror)
  expect(mirror.receiver.files.get('kept')?.sha256).toBe(sha256Hex('one'))
  unlinkSync(join(mirror.folder, 'second'))
  await mirror.inStep()
  expect(mirror.receiver.files.get('kept')?.sha256).toBe(sha256Hex('two'))
})

test('a folder that is swapped with a link all the time never lets a byte of the link’s target out', async () => {
  await using mirror = await startMirror()
  const target = join(mirror.folder, 'target')
  mkdirSync(target)
  for (let file = 0; file < SWAPPED; file++) writeFileSync(join(target, `f${file}`), `${CANARY} ${file}`)
  mkdirSync(mirror.path('real'))
  symlinkSync(target, mirror.path('link'))
  const swapping = new Worker(
    URL.createObjectURL(
      new Blob([
        `import { renameSync, writeFileSync } from 'node:fs'
        self.onmessage = ({ data: folder }) => {
          for (let round = 0; round < 5000; round++) {
            renameSync(folder + '/real', folder + '/spare')
            renameSync(folder + '/link', folder + '/real')
            if (round % 25 === 0) writeFileSync(folder + '/spare/f' + round / 25, 'mine ' + round)
            const until = performance.now() + 0.2
            while (performance.now() < until);
            renameSync(folder + '/real', folder + '/link')
            renameSync(folder + '/spare', folder + '/real')
          }
          postMessage('done')
        }`,
      ]),
    ),
  )
  const done = new Promise((resolve) => {
    swapping.onmessage = resolve
  })
  swapping.postMessage(mirror.output)
  await done
  swapping.terminate()
  await mirror.inStep()
  const secrets = new Set(Array.from({ length: SWAPPED }, (_, file) => sha256Hex(`${CANARY} ${file}`)))
  expect([...mirror.receiver.everSent].filter((sha256) => secrets.has(sha256))).toEqual([])
  expect(mirror.receiver.files.size).toBe(SWAPPED)
})

test('odd names arrive, each under its own name', async () => {
  await using mirror = new Mirror()
  const escaped: [string, string][] = [
    ['line\nend', 'line%0Aend'],
    ['back\\slash', 'back%5Cslash'],
    ['C:x', 'C%3Ax'],
    ['line%0Aend', 'line%250Aend'],
  ]
  for (const name of ODD_NAMES) mirror.write(name, `content of ${name}`)
  await mirror.start()
  for (const name of ODD_NAMES) mirror.write(`sub/${name}`, `content of ${name}`)
  for (const [name] of escaped) mirror.write(name, `content of ${name}`)
  const bytes = Buffer.concat([Buffer.from(`${mirror.output}/not-utf8-`), Buffer.from([0xff, 0xc3, 0x28])])
  writeFileSync(bytes, 'content of bytes')
  mkdirSync(Buffer.concat([bytes, Buffer.from('-folder')]))
  writeFileSync(Buffer.concat([bytes, Buffer.from('-folder/inside')]), 'inside')
  await mirror.inStep()
  for (const name of ODD_NAMES) expect(mirror.receiver.files.get(name)?.sha256, name).toBe(sha256Hex(`content of ${name}`))
  for (const [name, written] of escaped) expect(mirror.receiver.files.get(written)?.sha256, name).toBe(sha256Hex(`content of ${name}`))
  expect(mirror.receiver.files.get('not-utf8-%FF%C3(')?.sha256).toBe(sha256Hex('content of bytes'))
  expect(mirror.receiver.files.has('not-utf8-%FF%C3(-folder/inside')).toBe(true)
  unlinkSync(bytes)
  unlinkSync(mirror.path('line\nend'))
  renameSync(mirror.path('\u00e9'), mirror.path('renamed \u00e9'))
  await mirror.inStep()
})

test('names that no path can hold are left out and hold up no other', async () => {
  await using mirror = await startMirror()
  mkdirSync(mirror.path(Array.from({ length: 70 }, () => 'd').join('/')), { recursive: true })
  mirror.write(`${Array.from({ length: 66 }, () => 'd').join('/')}/too-deep`)
  writeFileSync(Buffer.concat([Buffer.from(`${mirror.output}/`), Buffer.alloc(200, 0xff)]), 'longer than a name may be once it is written out')
  await passed(mirror)
  expect(mirror.receiver.asked.every(({ path }) => path.startsWith('marker'))).toBe(true)
})

test('the token is only in its file: not in the environment, the arguments, the log or the journal', async () => {
  await using mirror = await startMirror()
  const token = readFileSync(mirror.tokenFile, 'utf8').trim()
  mirror.receiver.fault = ({ path }) => (path === 'refused' ? { status: 422, code: token } : { status: 500 })
  mirror.write('refused')
  mirror.write('failing')
  await until(() => mirror.log.includes('does not take') && mirror.log.includes('waits to be sent'), { what: 'some words in the log' })
  const places = [readFileSync(`/proc/${mirror.pid}/environ`, 'utf8'), readFileSync(`/proc/${mirror.pid}/cmdline`, 'utf8')]
  for (const end of ['', '-wal']) places.push(readFileSync(mirror.journal + end, 'latin1'))
  expect(places.some((place) => place.includes(token))).toBe(false)
  expect(mirror.log).not.toContain(`Bearer ${token}`)
})

test('files of the folder that it starts in are not run or read as settings', async () => {
  await using mirror = new Mirror(['/bin/sh', '-c', 'cd "$SAC_WATCH_DIR" && exec "$@"', 'sh'])
  mirror.write('bunfig.toml', 'preload = ["./evil.ts"]\n')
  mirror.write('evil.ts', `require('node:fs').writeFileSync(${JSON.stringify(join(mirror.folder, 'pwned'))}, '')`)
  mirror.write('.env', 'SAC_INTERNAL_URL=http://127.0.0.1:9\nBUN_BE_BUN=1\n')
  mirror.write('package.json', '{"bun":{}}')
  await mirror.start()
  await mirror.inStep()
  expect(await Bun.file(join(mirror.folder, 'pwned')).exists()).toBe(false)
})

test('a file that claims more than the server takes is not read for it', async () => {
  await using mirror = new Mirror()
  mirror.receiver.fault = ({ kind }) => (kind === 'room' ? { status: 413, code: 'file_too_large' } : undefined)
  await mirror.start()
  expect(Bun.spawnSync(['truncate', '-s', '4T', mirror.path('hole')]).exitCode).toBe(0)
  await until(() => mirror.log.includes('does not take this file'), { timeoutMs: 10_000, what: 'the answer about it' })
  await passed(mirror)
  expect(mirror.receiver.asked.filter(({ path }) => path === 'hole').map(({ kind }) => kind)).toEqual(['room'])
})

test('what cannot be configured is told in one line', async () => {
  await built()
  const child = Bun.spawn([SIDECAR], { env: { SAC_INTERNAL_URL: 'ftp://nowhere' }, stdout: 'pipe', stderr: 'pipe' })
  expect(await child.exited).toBe(78)
  expect(await new Response(child.stderr).text()).toMatch(/SAC_INTERNAL_URL is not an http/)
})
