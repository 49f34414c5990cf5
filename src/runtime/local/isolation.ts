// The ways in which a sandbox can be shut off from this machine, and the command that does it.
import type { AgentFiles } from './agent-files.ts'
import type { SandboxFolders } from './layout.ts'

/**
 * `user`: bubblewrap in a user namespace of whoever runs the server. `rooted`: the server is root, and the sandbox is a user
 * namespace of an unprivileged user of its own. `plain`: the same without a user namespace, for machines that forbid those.
 */
export const ISOLATIONS = ['rooted', 'plain', 'user'] as const
export type IsolationKind = (typeof ISOLATIONS)[number]

/** An isolation that works here, with what it needs. */
export interface Isolation {
  kind: IsolationKind
  /** A mount point that the mounts of a rooted sandbox are built on, in a mount namespace of its own. */
  stage: string
}

/** What the sandbox sees of this machine's files: its own folders and the programs for it. */
export interface Visible {
  home: string
  workspace: string
  shared: string
  claude: string
  sidecar: string
  loop: string
  notify: string
  managedSettings: string
  passwd: string
  group: string
}

/** Where everything that a sandbox sees lies on this machine. */
export function visibleParts(folders: SandboxFolders, files: AgentFiles & { claude: string; sidecar: string }): Visible {
  const { claude, sidecar, loop, notify, managedSettings } = files
  const { home, workspace, shared, passwd, group } = folders
  return { home, workspace, shared, claude, sidecar, loop, notify, managedSettings, passwd, group }
}

/** Where bubblewrap finds it: in place, or on the stage when it runs as somebody who may not enter our folders. */
export function asBubblewrapSees(visible: Visible, { kind, stage }: Isolation): Visible {
  if (kind !== 'rooted') return visible
  return Object.fromEntries(Object.keys(visible).map((name) => [name, `${stage}/${name}`])) as unknown as Visible
}

interface Entering {
  isolation: Isolation
  /** The script that becomes bubblewrap. */
  enter: string
  /** File with bubblewrap's options, each ended by NUL. */
  optionsFile: string
  filterFile: string
  visible: Partial<Visible>
  /** The user that the sandbox belongs to when the server is root. */
  uid: number
}

/** Words that become the sandbox and run `program` in it. */
export function enterCommand({ isolation: { kind, stage }, enter, optionsFile, filterFile, visible, uid }: Entering, program: string[]): string[] {
  const words = ['/bin/sh', enter, kind, Bun.which('bwrap') ?? 'bwrap', optionsFile, filterFile]
  if (kind === 'user') return [...words, ...program]
  const pairs = kind === 'rooted' ? Object.entries(visible) : []
  const become = kind === 'plain' ? dropTo(uid) : []
  return ['unshare', '--mount', '--propagation', 'unchanged', ...words, String(uid), stage, String(pairs.length), ...pairs.flat(), ...become, ...program]
}

// Inside, before anything of the agent runs: the last three capabilities go with the identity.
function dropTo(uid: number): string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs']
}
