// Whether and how this machine can isolate a sandbox, found out by making a small one in each way.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { agentFiles } from './agent-files.ts'
import { identityOptions } from './bubblewrap.ts'
import { enterCommand, ISOLATIONS, type Isolation, type IsolationKind } from './isolation.ts'
import { sandboxOwner } from './owner.ts'

export type Probe = { ok: true; isolation?: Isolation; warning?: string } | { ok: false; reason: string }

const LIMIT_MS = 10_000
// Mounts that the machine can do without in a namespace where nothing but a sandbox starts.
const STAGES = ['/sys', '/dev/shm', '/dev/mqueue']

interface ProbeOptions {
  dataDir: string
  /** The operator's consent to run without isolation. */
  allowOpen: boolean
  /** Ways to try, the best one first. */
  ways?: readonly IsolationKind[]
}

/** Tries a real bubblewrap. */
export async function probe({ dataDir, allowOpen, ways = ISOLATIONS }: ProbeOptions): Promise<Probe> {
  if (!Bun.which('dtach')) return { ok: false, reason: 'The program dtach is missing. On Debian or Ubuntu: apt-get install dtach.' }
  const problems: string[] = []
  if (!Bun.which('bwrap')) problems.push('bubblewrap is not installed (on Debian or Ubuntu: apt-get install bubblewrap)')
  else {
    const stage = mountPoint()
    for (const kind of ways) {
      // A sandbox of root's own user could write what root may write, /proc/sys for one: it is never made.
      if ((kind === 'user') !== (sandboxOwner(0) === undefined) || (kind !== 'user' && stage === undefined)) continue
      const isolation = { kind, stage: stage ?? '' }
      const problem = await tryOut(isolation, dataDir)
      if (problem === undefined) return { ok: true, isolation }
      problems.push(problem)
    }
  }
  // What the last and simplest way said is what an operator can act on.
  const problem = problems.at(-1) ?? 'no way of isolation is allowed here'
  if (allowOpen) return { ok: true, warning: problem }
  return {
    ok: false,
    reason: `This machine does not let us isolate agents: ${problem}. ${remedies()}, or accept agents without isolation with SAC_ALLOW_UNSANDBOXED=1.`,
  }
}

function remedies(): string {
  const namespaces = 'sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 also kernel.apparmor_restrict_unprivileged_userns=0'
  if (sandboxOwner(0) === undefined) return `Allow user namespaces (${namespaces}; in a container --security-opt seccomp=unconfined)`
  return `Give this root the right to mount (in a container --cap-add SYS_ADMIN --security-opt apparmor=unconfined), or start the server as an ordinary user where user namespaces are allowed (${namespaces})`
}

async function tryOut(isolation: Isolation, dataDir: string): Promise<string | undefined> {
  const { enter, filter } = await agentFiles(dataDir)
  const folder = mkdtempSync(join(tmpdir(), 'sac-probe-'))
  try {
    const optionsFile = join(folder, 'options')
    const options = [...identityOptions(isolation.kind), '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev']
    writeFileSync(optionsFile, options.map((word) => `${word}\0`).join(''), { mode: 0o600 })
    const command = enterCommand({ isolation, enter, optionsFile, filterFile: filter, visible: {}, uid: sandboxOwner(0) ?? 0 }, ['true'])
    const child = Bun.spawn(command, { env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: LIMIT_MS })
    const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
    return code === 0 ? undefined : text.trim().split('\n').at(-1) || `bubblewrap ended with ${code}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function mountPoint(): string | undefined {
  const mounted = new Set(
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4]),
  )
  return STAGES.find((path) => mounted.has(path))
}
