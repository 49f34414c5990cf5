// Whether this machine can isolate a sandbox, found out by making a small one.

export type Probe = { ok: true; isolated: boolean; warning?: string } | { ok: false; reason: string }

/** Tries a real bubblewrap. `allowOpen` is the operator's consent to run without one. */
export async function probe(allowOpen: boolean): Promise<Probe> {
  if (!Bun.which('dtach')) return { ok: false, reason: 'The program dtach is missing. On Debian or Ubuntu: apt-get install dtach.' }
  const problem = Bun.which('bwrap') ? await tryBubblewrap() : 'bubblewrap is not installed (on Debian or Ubuntu: apt-get install bubblewrap)'
  if (problem === undefined) return { ok: true, isolated: true }
  if (allowOpen) return { ok: true, isolated: false, warning: problem }
  return {
    ok: false,
    reason: `This machine does not let us isolate agents: ${problem}. Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 also kernel.apparmor_restrict_unprivileged_userns=0; in a container --security-opt seccomp=unconfined), or accept agents without isolation with SAC_ALLOW_UNSANDBOXED=1.`,
  }
}

async function tryBubblewrap(): Promise<string | undefined> {
  const command = [
    'bwrap',
    '--unshare-user',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--uid',
    '10001',
    '--gid',
    '10001',
    '--disable-userns',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    'true',
  ]
  const child = Bun.spawn(command, { env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return code === 0 ? undefined : text.trim().split('\n').at(-1) || `bubblewrap ended with ${code}`
}
