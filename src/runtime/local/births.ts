// Whose a sandbox's folder is: numbers of agents are given out again after a restored database, births never are.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import type { SandboxFolders } from './layout.ts'

type Birth = string | null

/** Lets the folder be that of the agent of this birth. Another agent's is set aside as it is, and one of its own that was comes back. Nothing may run in it. */
export async function belong(folders: Pick<SandboxFolders, 'root' | 'hidden' | 'birthNote'>, birth: Birth): Promise<void> {
  const { root, hidden, birthNote } = folders
  const present = await birthIn(folders)
  if (existsSync(root) && present !== birth) {
    const aside = asideOf(root, present)
    await rename(root, existsSync(aside) ? `${aside}.${Date.now()}` : aside)
  }
  if (!existsSync(root) && existsSync(asideOf(root, birth))) await rename(asideOf(root, birth), root)
  if (birth === null || (await birthIn(folders)) === birth) return
  await mkdir(hidden, { recursive: true, mode: 0o700 })
  await writeFile(birthNote, birth, { mode: 0o600 })
}

/** Where the files of the agent of this birth lie. */
export async function rootOf(folders: Pick<SandboxFolders, 'root' | 'birthNote'>, birth: Birth): Promise<string> {
  return (await birthIn(folders)) === birth ? folders.root : asideOf(folders.root, birth)
}

// Folders of before there were births have no note.
async function birthIn({ birthNote }: Pick<SandboxFolders, 'birthNote'>): Promise<Birth> {
  return readFile(birthNote, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}

function asideOf(root: string, birth: Birth): string {
  return `${root}.of-${birth ?? 'before'}`
}
