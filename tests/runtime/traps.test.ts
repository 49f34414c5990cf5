import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Turns } from '../../src/lib/turns.ts'
import { AgentFolder } from '../../src/runtime/local/agent-folder.ts'
import { removeTree } from '../../src/runtime/local/disk.ts'
import { seedHome } from '../../src/runtime/local/home.ts'
import { sandboxesRoot } from '../../src/runtime/local/layout.ts'
import { waysHere } from '../support/machine.ts'
import { Inside } from './inside.ts'

setDefaultTimeout(60_000)
const { ways, missing } = await waysHere()

let folder: string
let victim: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sac-test-traps-'))
  victim = join(folder, 'victim')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function home(): string {
  rmSync(victim, { recursive: true, force: true })
  mkdirSync(victim)
  writeFileSync(join(victim, 'credentials.json'), '{"token":"of the machine"}')
  return mkdtempSync(join(folder, 'home-'))
}

const seed = (path: string) => {
  using opened = AgentFolder.open(path)
  seedHome(opened, '/workspace', { theme: 'dark' })
}

test('a home is seeded once, and what the CLI and its user set there stays', () => {
  const path = home()
  writeFileSync(join(path, '.claude.json'), JSON.stringify({ theme: 'light', numStartups: 7, projects: { '/other': { x: 1 } } }))
  seed(path)
  const state = JSON.parse(readFileSync(join(path, '.claude.json'), 'utf8'))
  expect(state).toMatchObject({ theme: 'light', numStartups: 7, hasCompletedOnboarding: true, projects: { '/other': { x: 1 }, '/workspace': { hasTrustDialogAccepted: true } } })
  const inode = lstatSync(join(path, '.claude.json')).ino
  seed(path)
  expect(lstatSync(join(path, '.claude.json')).ino).toBe(inode)
  expect(readdirSync(path).sort()).toEqual(['.claude', '.claude.json'])
})

test('a home follows the colours of its sessions until somebody chooses others in the CLI', () => {
  const path = home()
  const theme = () => JSON.parse(readFileSync(join(path, '.claude.json'), 'utf8')).theme
  const start = (seeded: { theme: 'light' | 'dark'; before?: string }) => {
    using opened = AgentFolder.open(path)
    seedHome(opened, '/workspace', seeded)
    return theme()
  }
  expect(start({ theme: 'dark' })).toBe('dark')
  expect(start({ theme: 'light', before: 'dark' })).toBe('light')
  writeFileSync(join(path, '.claude.json'), JSON.stringify({ theme: 'dark-daltonized' }))
  expect(start({ theme: 'dark', before: 'light' })).toBe('dark-daltonized')
})

test('a link in the place of a seeded file neither gives away what it points to nor is written through', () => {
  const path = home()
  symlinkSync(join(victim, 'credentials.json'), join(path, '.claude.json'))
  seed(path)
  expect(readFileSync(join(path, '.claude.json'), 'utf8')).not.toContain('of the machine')
  expect(readFileSync(join(victim, 'credentials.json'), 'utf8')).toBe('{"token":"of the machine"}')
})

test('a link in the place of the settings’ folder is moved aside, and nothing appears where it points', () => {
  const path = home()
  symlinkSync(victim, join(path, '.claude'))
  seed(path)
  expect(readdirSync(victim)).toEqual(['credentials.json'])
  expect(lstatSync(join(path, '.claude')).isDirectory()).toBe(true)
})

test('pipes, folders and second names in the place of a seeded file do not hold up a start', () => {
  const path = home()
  Bun.spawnSync(['mkfifo', join(path, '.claude.json')])
  seed(path)
  expect(JSON.parse(readFileSync(join(path, '.claude.json'), 'utf8'))).toMatchObject({ hasCompletedOnboarding: true })
  rmSync(join(path, '.claude.json'))
  linkSync(join(victim, 'credentials.json'), join(path, '.claude.json'))
  seed(path)
  expect(readFileSync(join(victim, 'credentials.json'), 'utf8')).toBe('{"token":"of the machine"}')
  rmSync(join(path, '.claude.json'))
  mkdirSync(join(path, '.claude.json', 'full'), { recursive: true })
  seed(path)
  expect(lstatSync(join(path, '.claude.json')).isFile()).toBe(true)
})

test('folders that nobody may enter and paths longer than a name can be are removed all the same', async () => {
  const path = join(folder, 'deep')
  mkdirSync(path)
  const script =
    'import os\nfor i in range(40): os.mkdir("%0200d" % i); os.chdir("%0200d" % i)\nopen("file", "w"); os.mkdir("closed"); os.mkdir("closed/in"); os.chmod("closed", 0)'
  const made = Bun.spawnSync(['python3', '-c', script], { cwd: path })
  expect(made.exitCode).toBe(0)
  await removeTree(path)
  expect(existsSync(path)).toBe(false)
})

test('a link of the short name for a deep DATA_DIR is made again when it is swept away, and a stranger’s is refused', () => {
  const deep = join(folder, 'a long way down '.repeat(6), 'täglich "neu"')
  const link = sandboxesRoot(deep)
  expect(Buffer.byteLength(link)).toBeLessThanOrEqual(70)
  rmSync(link)
  expect(sandboxesRoot(deep)).toBe(link)
  expect(readlinkSync(link)).toBe(join(deep, 'sandboxes'))
  rmSync(link)
  symlinkSync(victim, link)
  expect(() => sandboxesRoot(deep)).toThrow('is not ours')
  rmSync(link)
})

test('turns of one key never overlap, also after one that failed, and keys do not wait for each other', async () => {
  const turns = new Turns()
  const seen: string[] = []
  const slow = async (name: string) => {
    seen.push(`${name} begins`)
    await Promise.resolve()
    await Promise.resolve()
    seen.push(`${name} ends`)
    if (name === 'a') throw new Error('a fails')
  }
  const all = await Promise.allSettled([turns.take('x', () => slow('a')), turns.take('x', () => slow('b')), turns.take('y', () => slow('c'))])
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  expect(seen.indexOf('b begins')).toBeGreaterThan(seen.indexOf('a ends'))
  expect(seen.indexOf('c begins')).toBeLessThan(seen.indexOf('a ends'))
})

test.skipIf(ways.length === 0)(`a DATA_DIR on a path with spaces, quotes and other alphabets, and a very long one, works${missing ? ` (${missing})` : ''}`, async () => {
  for (const name of ['with "quotes", spaces & ümläute — 日本語', `${'long '.repeat(30)}end`]) {
    await using inside = new Inside({ dataDir: join(folder, name) })
    await inside.start(1)
    expect((await inside.ask(1, 'pwd; cat /workspace/CLAUDE.md 2>/dev/null; id -un')).out).toBe('/workspace\nagent')
  }
})

test.skipIf(ways.length === 0)(`traps that an agent leaves in its folders do not lead a restart out of them${missing ? ` (${missing})` : ''}`, async () => {
  await using inside = new Inside({})
  home()
  await inside.start(1)
  await inside.ask(
    1,
    `rm -rf ~/.claude ~/.claude.json /workspace/output; ln -s ${victim} ~/.claude; ln -s ${victim}/credentials.json ~/.claude.json; ln -s ${victim}/x /workspace/CLAUDE.md; ln -s ${victim} /workspace/output`,
  )
  await inside.runtime.stop({ userId: 1, agentId: 1, generation: 1 })
  await inside.start(1, { generation: 2, claudeMd: 'Be kind.' })
  expect(readdirSync(victim)).toEqual(['credentials.json'])
  expect((await inside.ask(1, 'cat /workspace/CLAUDE.md; grep -c machine ~/.claude.json; touch ~/.claude/mine /workspace/output/mine && echo writable')).out).toBe(
    'Be kind.\n0\nwritable',
  )
})

test.skipIf(ways.length === 0)(`a later server shows what a sandbox uses of the limits that it was started with${missing ? ` (${missing})` : ''}`, async () => {
  await using inside = new Inside({})
  const memoryLimitBytes = 64 * 1024 ** 2
  await inside.start(1, { resources: { cpuLimit: 1, memoryLimitBytes, pidsLimit: 100 } })
  const later = new Inside({ dataDir: inside.dataDir })
  const usage = await later.runtime.usage({ userId: 1, agentId: 1 })
  await later.runtime[Symbol.asyncDispose]()
  expect(usage?.memoryPercent).toBe(Math.round(((usage?.memoryBytes ?? 0) / memoryLimitBytes) * 100))
  expect(usage?.memoryPercent).toBeGreaterThan(0)
})

test.skipIf(ways.length === 0)(`twenty starts at once make one sandbox, and a start that was given up leaves none${missing ? ` (${missing})` : ''}`, async () => {
  await using inside = new Inside({})
  await Promise.all(Array.from({ length: 20 }, () => inside.start(1)))
  const states = (await inside.runtime.list()).filter(({ phase }) => phase !== 'absent')
  expect(states).toMatchObject([{ agentId: 1, generation: 1, phase: 'ready' }])
  const terminals = commandLines().filter((words) => words[0] === 'dtach' && words[2] === inside.folders(1).terminalSocket)
  expect(terminals.length).toBe(1)
  const given = new AbortController()
  const start = inside.runtime.start(
    {
      userId: 1,
      agentId: 2,
      birth: null,
      generation: 1,
      environment: {},
      claudeMd: '',
      resources: { cpuLimit: 1, memoryLimitBytes: 2 ** 28, pidsLimit: 100 },
      sandboxToken: 't',
      internalUrl: '',
      theme: 'dark',
    },
    ({ step }) => step === 'starting' && given.abort(),
    given.signal,
  )
  await expect(start).rejects.toThrow()
  expect((await inside.runtime.state({ userId: 1, agentId: 2 })).phase).toBe('absent')
})

function commandLines(): string[][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')]
      } catch {
        return []
      }
    })
}
