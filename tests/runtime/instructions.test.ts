import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentFolder } from '../../src/runtime/local/agent-folder.ts'
import { instruct } from '../../src/runtime/local/prepare.ts'

const root = mkdtempSync(join(tmpdir(), 'sac-test-instructions-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function place(name: string) {
  const folder = join(root, name)
  mkdirSync(join(folder, 'workspace'), { recursive: true })
  const file = (of: string) => join(folder, 'workspace', of)
  return {
    start: async (text: string) => {
      using workspace = AgentFolder.open(join(folder, 'workspace'))
      await instruct(workspace, join(folder, 'note'), text)
    },
    read: (of: string) => (existsSync(file(of)) ? readFileSync(file(of), 'utf8') : undefined),
    write: (of: string, text: string) => writeFileSync(file(of), text),
    remove: (of: string) => rmSync(file(of)),
  }
}

test('what the CLI wrote into CLAUDE.md stays over restarts, and is kept beside a new text of the portal', async () => {
  const { start, read, write } = place('edited')
  await start('Be kind.')
  expect(read('CLAUDE.md')).toBe('Be kind.\n')
  write('CLAUDE.md', 'Be kind.\nThe tests run with make.\n')
  await start('Be kind.')
  expect(read('CLAUDE.md')).toBe('Be kind.\nThe tests run with make.\n')
  await start('Be brief.')
  expect([read('CLAUDE.md'), read('CLAUDE.before.md')]).toEqual(['Be brief.\n', 'Be kind.\nThe tests run with make.\n'])
})

test('a text that nobody edited is replaced without a trace, and a removed file comes back', async () => {
  const { start, read, remove } = place('untouched')
  await start('One.')
  await start('Two.')
  expect([read('CLAUDE.md'), read('CLAUDE.before.md')]).toEqual(['Two.\n', undefined])
  remove('CLAUDE.md')
  await start('Two.')
  expect(read('CLAUDE.md')).toBe('Two.\n')
})

test('without a text the file is the agent’s own; a text that was taken back is gone', async () => {
  const { start, read, write } = place('empty')
  write('CLAUDE.md', 'Mine.\n')
  await start('')
  expect(read('CLAUDE.md')).toBe('Mine.\n')
  await start('Ours.')
  expect([read('CLAUDE.md'), read('CLAUDE.before.md')]).toEqual(['Ours.\n', 'Mine.\n'])
  await start('')
  expect(read('CLAUDE.md')).toBe('')
})
