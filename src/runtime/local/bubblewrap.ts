// The arguments of bubblewrap are the policy of a local sandbox. Pure, but for looking at what the system has.
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import type { SandboxFolders } from './layout.ts'

export const INSIDE = {
  home: '/home/agent',
  workspace: '/workspace',
  claude: '/opt/claude/claude',
  sidecar: '/opt/sac/sidecar',
  notify: '/opt/sac/notify',
  loop: '/opt/sac/loop.sh',
  socket: '/run/sac/sidecar.sock',
} as const
/** User and group that the agent is inside; outside it is whoever runs the server. */
export const AGENT_ID = 10001

export interface SandboxFiles {
  claude: string
  sidecar: string
  loop: string
  notify: string
  managedSettings: string
  passwd: string
  group: string
}

// What programs need of /etc, and nothing that tells about the machine's users or services.
const ETC = [
  'hosts',
  'resolv.conf',
  'nsswitch.conf',
  'host.conf',
  'gai.conf',
  'ssl',
  'ca-certificates',
  'ca-certificates.conf',
  'pki',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'localtime',
  'timezone',
  'mime.types',
  'magic',
  'inputrc',
  'bash.bashrc',
  'profile',
  'terminfo',
  'gitconfig',
  'fonts',
  'protocols',
  'services',
]

/** All arguments up to and including the command. */
export function bubblewrapArguments(folders: SandboxFolders, files: SandboxFiles, environment: Record<string, string>): string[] {
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--die-with-parent', '--disable-userns'],
    ...['--uid', String(AGENT_ID), '--gid', String(AGENT_ID), '--hostname', 'agent', '--cap-drop', 'ALL'],
    ...systemFolders(),
    ...['--tmpfs', '/etc', ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`])],
    ...['--ro-bind', files.passwd, '/etc/passwd', '--ro-bind', files.group, '/etc/group', '--ro-bind', files.managedSettings, '/etc/claude-code/managed-settings.json'],
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/var/tmp', '--tmpfs', '/run'],
    ...['--ro-bind', files.claude, INSIDE.claude, '--ro-bind', files.sidecar, INSIDE.sidecar, '--ro-bind', files.loop, INSIDE.loop, '--ro-bind', files.notify, INSIDE.notify],
    ...['--bind', folders.shared, '/run/sac', '--bind', folders.home, INSIDE.home, '--bind', folders.workspace, INSIDE.workspace, '--chdir', INSIDE.workspace],
    // The empty root itself is no place to write to.
    ...['--remount-ro', '/etc', '--remount-ro', '/run', '--remount-ro', '/'],
    ...['--clearenv', ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value])],
    ...['--', '/bin/sh', INSIDE.loop, INSIDE.claude, INSIDE.workspace],
  ]
}

/** /usr read-only, and /bin, /lib… as the system has them: links into /usr or folders of their own. */
function systemFolders(): string[] {
  const arguments_ = ['--ro-bind', '/usr', '/usr']
  for (const folder of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    if (!existsSync(folder)) continue
    if (lstatSync(folder).isSymbolicLink()) arguments_.push('--symlink', readlinkSync(folder), folder)
    else arguments_.push('--ro-bind', folder, folder)
  }
  return arguments_
}
