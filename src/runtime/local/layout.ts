// Where a local sandbox keeps its things. Only `home`, `workspace` and `shared` are ever visible inside.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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
  argumentsFile: string
}

// A Unix socket's path has 108 bytes at most.
const LONGEST_ROOT = 70

/** Folder of all sandboxes under a name that is short enough for sockets; a link when DATA_DIR lies deep. */
export function sandboxesRoot(dataDir: string): string {
  const real = join(dataDir, 'sandboxes')
  mkdirSync(real, { recursive: true, mode: 0o700 })
  if (Buffer.byteLength(real) <= LONGEST_ROOT) return real
  const link = join(tmpdir(), `sac-${process.getuid?.() ?? 0}-${createHash('sha256').update(real).digest('hex').slice(0, 16)}`)
  if (existsSync(link) && readlinkSync(link) === real) return link
  if (existsSync(link)) unlinkSync(link)
  symlinkSync(real, link)
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
    argumentsFile: join(hidden, 'arguments'),
  }
}
