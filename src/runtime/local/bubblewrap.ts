// The arguments of bubblewrap are the policy of a local sandbox. Pure, but for looking at what the system has.
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import type { IsolationKind, Visible } from './isolation.ts'

export const INSIDE = {
  home: '/home/agent',
  workspace: '/workspace',
  claude: '/opt/claude/claude',
  sidecar: '/opt/sac/sidecar',
  notify: '/opt/sac/notify',
  loop: '/opt/sac/loop.sh',
  socket: '/run/sac/sidecar.sock',
} as const
/** User and group that the agent is inside of a user namespace. */
export const AGENT_ID = 10001

// What programs need of /etc, and nothing that tells about the machine's users or services.
const ETC = [
  'hosts',
  'resolv.conf',
  'nsswitch.conf',
  'host.conf',
  'gai.conf',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates',
  'ca-certificates.conf',
  'ssl/cert.pem',
  'pki/tls/certs',
  'pki/tls/cert.pem',
  'pki/ca-trust/extracted',
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

// Made by themselves they would be closed for everybody but their maker.
const OPEN_FOLDERS = ['/home', '/opt', '/opt/claude', '/opt/sac', '/etc/claude-code', '/etc/ssl', '/etc/pki', '/etc/pki/tls', '/etc/pki/ca-trust']

/** Bubblewrap's options. `visible` says where it finds what the sandbox sees. */
export function bubblewrapOptions(kind: IsolationKind, visible: Visible, environment: Record<string, string>): string[] {
  const { passwd, group, managedSettings, claude, sidecar, loop, notify, shared, home, workspace } = visible
  return [
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--die-with-parent', '--hostname', 'agent', '--cap-drop', 'ALL'],
    // The loop enters the workspace; a root without capabilities may not.
    ...['--chdir', '/'],
    ...identityOptions(kind),
    ...systemFolders(),
    ...['--tmpfs', '/etc', ...OPEN_FOLDERS.flatMap((folder) => ['--dir', folder]), ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`])],
    ...['--ro-bind', passwd, '/etc/passwd', '--ro-bind', group, '/etc/group', '--ro-bind', managedSettings, '/etc/claude-code/managed-settings.json'],
    ...['--proc', '/proc', '--dev', '/dev', '--perms', '1777', '--tmpfs', '/tmp', '--perms', '1777', '--tmpfs', '/var/tmp', '--tmpfs', '/run'],
    ...['--ro-bind', claude, INSIDE.claude, '--ro-bind', sidecar, INSIDE.sidecar, '--ro-bind', loop, INSIDE.loop, '--ro-bind', notify, INSIDE.notify],
    // A socket can be spoken to in a read-only folder; nothing can be put in its place.
    ...['--ro-bind', shared, '/run/sac', '--bind', home, INSIDE.home, '--bind', workspace, INSIDE.workspace],
    // The empty root itself is no place to write to.
    ...['--remount-ro', '/etc', '--remount-ro', '/run', '--remount-ro', '/'],
    ...['--clearenv', ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value])],
  ]
}

/** Who the agent is inside: by a user namespace, or (plain) by giving up root once everything is in place. */
export function identityOptions(kind: IsolationKind): string[] {
  if (kind === 'plain') return ['--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP']
  return ['--unshare-user', '--uid', String(AGENT_ID), '--gid', String(AGENT_ID)]
}

/** Texts of /etc/passwd and /etc/group inside, for the number that the agent has there. */
export function accounts(id: number): { passwd: string; group: string } {
  return {
    passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:${id}:${id}:agent:/home/agent:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: `root:x:0:\nagent:x:${id}:\nnogroup:x:65534:\n`,
  }
}

/** /usr read-only, and /bin, /lib… as the system has them: links into /usr or folders of their own. */
function systemFolders(): string[] {
  const options = ['--ro-bind', '/usr', '/usr']
  for (const folder of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    if (!existsSync(folder)) continue
    if (lstatSync(folder).isSymbolicLink()) options.push('--symlink', readlinkSync(folder), folder)
    else options.push('--ro-bind', folder, folder)
  }
  return options
}
