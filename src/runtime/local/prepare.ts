// Makes a sandbox's folders and what lies in them before it starts. Nothing of it runs meanwhile.
import { chmod, lchown, mkdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { sha256Hex } from '../../lib/crypto.ts'
import type { SandboxSpec } from '../runtime.ts'
import { AgentFolder } from './agent-folder.ts'
import { accounts } from './bubblewrap.ts'
import { seedHome } from './home.ts'
import type { SandboxFolders } from './layout.ts'

const OWNING_MS = 120_000
/** Group of the folder passes on to the sidecar's socket in it; the sandbox's user may enter and not change it. */
const SHARED_MODE = 0o2750

interface Preparation {
  folders: SandboxFolders
  spec: SandboxSpec
  /** User that the sandbox's files belong to; undefined leaves them ours. */
  owner?: number
  /** Number of the agent's user inside. */
  idInside: number
  /** Path of the workspace as the CLI sees it. */
  workspaceInside: string
}

/** Brings folders, home, token and accounts to where the sandbox can start. What the agent wrote stays as it is. */
export async function prepare({ folders, spec, owner, idInside, workspaceInside }: Preparation): Promise<void> {
  for (const folder of [folders.root, folders.hidden, folders.home, folders.workspace, folders.shared]) await mkdir(folder, { recursive: true, mode: 0o700 })
  if (owner !== undefined) {
    for (const folder of [folders.home, folders.workspace]) await give(folder, owner)
    await lchown(folders.shared, 0, owner)
    await chmod(folders.shared, SHARED_MODE)
  }
  {
    using home = AgentFolder.open(folders.home, owner)
    using workspace = AgentFolder.open(folders.workspace, owner)
    using _output = workspace.folder('output')
    seedHome(home, workspaceInside, { theme: spec.theme, before: await readFile(folders.themeNote, 'utf8').catch(() => undefined) })
    await writeFile(folders.themeNote, spec.theme, { mode: 0o600 })
    await instruct(workspace, folders.instructionsNote, spec.claudeMd)
  }
  const { passwd, group } = accounts(idInside)
  await writeFile(folders.passwd, passwd, { mode: 0o644 })
  await writeFile(folders.group, group, { mode: 0o644 })
  await rm(folders.tokenFile, { force: true })
  await writeFile(folders.tokenFile, spec.sandboxToken, { mode: 0o400 })
  await unlink(folders.terminalSocket).catch(() => {})
  await unlink(folders.sandboxNote).catch(() => {})
}

/**
 * Writes CLAUDE.md when the portal's text is another one than at the last start; until then what the CLI and its user made of
 * it stays. Their version is kept beside the new one.
 */
export async function instruct(workspace: AgentFolder, note: string, text: string): Promise<void> {
  const whole = text === '' ? '' : `${text}\n`
  const written = await readFile(note, 'utf8').catch(() => '')
  const present = workspace.read('CLAUDE.md')
  if (written === sha256Hex(whole) && present !== undefined) return
  if (whole === '' && written === '') return
  if (present && present !== whole && sha256Hex(present) !== written) workspace.write('CLAUDE.before.md', present, 0o644)
  workspace.write('CLAUDE.md', whole, 0o644)
  await writeFile(note, sha256Hex(whole), { mode: 0o600 })
}

/** A folder that was made under another user, for example by an earlier version, changes hands with all that is in it. */
async function give(folder: string, owner: number): Promise<void> {
  const { uid, gid } = await stat(folder)
  if (uid === owner && gid === owner) return
  // The folder itself comes last: until then the next start does it again.
  await chown(['-R', '-h', '-P', `${owner}:${owner}`, '--', `${folder}/.`])
}

async function chown(words: string[]): Promise<void> {
  const child = Bun.spawn(['chown', ...words], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: OWNING_MS })
  const [problem, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`chown: ${problem.trim() || code}`)
}
