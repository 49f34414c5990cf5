// The folder of a local sandbox after a restored database: files of one agent never become another's that has got the same numbers.
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/lib/logger.ts'
import { LocalRuntime } from '../../src/runtime/local/adapter.ts'
import { belong } from '../../src/runtime/local/births.ts'
import { foldersOf, sandboxesRoot } from '../../src/runtime/local/layout.ts'

setDefaultTimeout(30_000)
const KEY = { userId: 7, agentId: 12 }
const ALICE = 'a11ce000-0000-4000-8000-000000000001'
const BOB = 'b0b00000-0000-4000-8000-000000000002'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sac-test-births-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const folders = () => foldersOf(sandboxesRoot(dataDir), KEY)
const note = () => join(folders().workspace, 'note')
function write(text: string): void {
  mkdirSync(folders().workspace, { recursive: true })
  writeFileSync(note(), text)
}
async function remove(birth: string | null): Promise<void> {
  await using runtime = new LocalRuntime({ dataDir, installEnvironment: {}, sidecarBin: '', allowUnsandboxed: false, logger: silentLogger, internalUrl: () => '' })
  await runtime.remove({ ...KEY, birth })
}

test('another agent of the same numbers finds nothing of the first one’s, which has it all when it comes back', async () => {
  await belong(folders(), ALICE)
  write('of Alice')
  await belong(folders(), ALICE)
  expect(readFileSync(note(), 'utf8')).toBe('of Alice')
  await belong(folders(), BOB)
  expect(existsSync(note())).toBe(false)
  write('of Bob')
  await belong(folders(), ALICE)
  expect(readFileSync(note(), 'utf8')).toBe('of Alice')
  await belong(folders(), BOB)
  expect(readFileSync(note(), 'utf8')).toBe('of Bob')
})

test('a folder of before there were births stays that of the agent of before, and no other one has it', async () => {
  write('of before')
  await belong(folders(), null)
  expect(readFileSync(note(), 'utf8')).toBe('of before')
  await belong(folders(), BOB)
  expect(existsSync(note())).toBe(false)
  await belong(folders(), null)
  expect(readFileSync(note(), 'utf8')).toBe('of before')
})

test('whoever is deleted takes along nobody else’s files', async () => {
  await belong(folders(), ALICE)
  write('of Alice')
  await remove(BOB)
  expect(readFileSync(note(), 'utf8')).toBe('of Alice')
  await belong(folders(), BOB)
  write('of Bob')
  await remove(ALICE)
  expect(readFileSync(note(), 'utf8')).toBe('of Bob')
  await belong(folders(), ALICE)
  expect(existsSync(note())).toBe(false)
  await remove(ALICE)
  await remove(BOB)
  expect(existsSync(folders().root)).toBe(false)
})
