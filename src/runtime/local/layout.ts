// Where a local sandbox keeps its things. Only `home`, `workspace` and `shared` are ever visible inside.

import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'

/** Paths of one sandbox. */
export interface SandboxFolders {
  root: string
  /** The CLI's home, writable inside as /home/agent. */
  home: string
  /** Writable inside as /workspace. */
  workspace: string
  output: string
  /** Bound as /run/sac in this sandbox alone: the sidecar's socket. */
  shared: string
  /** Never visible inside: terminal socket, token, journal, notes. */
  hidden: string
  terminalSocket: string
  sidecarSocket: string
  tokenFile: string
  journal: string
  sidecarNote: string
  sandboxNote: string
  optionsFile: string
  /** Hash of the CLAUDE.md that was written last. */
  instructionsNote: string
  /** Colours that the home was seeded with last. */
  themeNote: string
  /** The limits that it was started with, for servers that come later. */
  limitsFile: string
  /** What the sandbox sees as /etc/passwd and /etc/group. */
  passwd: string
  group: string
  /** Birth of the agent whose folder this is. */
  birthNote: string
  /** There while the sandbox runs without isolation. */
  openMark: string
}

// A Unix socket's path has 108 bytes at most.
const LONGEST_ROOT = 70

/**
 * Folder of all sandboxes under a name that is short enough for sockets; a link when DATA_DIR lies deep. Call it again
 * before each use: the link lies where old things are swept away. Throws Error when somebody else has its name.
 */
export function sandboxesRoot(dataDir: string): string {
  const real = join(dataDir, 'sandboxes')
  mkdirSync(real, { recursive: true, mode: 0o700 })
  if (Buffer.byteLength(real) <= LONGEST_ROOT) return real
  const link = join(tmpdir(), `sac-${process.getuid?.() ?? 0}-${createHash('sha256').update(real).digest('hex').slice(0, 16)}`)
  try {
    symlinkSync(real, link)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  // Anybody may make a link of that name in a shared folder, and point it elsewhere later; only our own is used.
  const found = lstatSync(link)
  if (!found.isSymbolicLink() || found.uid !== (process.getuid?.() ?? found.uid) || readlinkSync(link) !== real)
    throw new OperatorError(`${link} is not ours, and the path of DATA_DIR is too long for sockets. Remove it, or set DATA_DIR to a shorter path.`)
  return link
}

/** Paths for an agent below `sandboxesRoot`. */
export function foldersOf(sandboxes: string, { userId, agentId }: { userId: number; agentId: number }): SandboxFolders {
  const root = join(sandboxes, `${userId}-${agentId}`)
  const hidden = join(root, 'hidden')
  const shared = join(root, 'shared')
  const workspace = join(root, 'workspace')
  return {
    root,
    home: join(root, 'home'),
    workspace,
    output: join(workspace, 'output'),
    shared,
    hidden,
    terminalSocket: join(hidden, 'terminal.sock'),
    sidecarSocket: join(shared, 'sidecar.sock'),
    tokenFile: join(hidden, 'token'),
    journal: join(hidden, 'journal.sqlite'),
    sidecarNote: join(hidden, 'sidecar'),
    sandboxNote: join(hidden, 'sandbox'),
    optionsFile: join(hidden, 'options'),
    instructionsNote: join(hidden, 'instructions'),
    themeNote: join(hidden, 'theme'),
    limitsFile: join(hidden, 'limits.json'),
    passwd: join(hidden, 'passwd'),
    group: join(hidden, 'group'),
    birthNote: join(hidden, 'birth'),
    openMark: join(hidden, 'open'),
  }
}
