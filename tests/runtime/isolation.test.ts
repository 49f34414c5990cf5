import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { ISOLATIONS } from '../../src/runtime/local/isolation.ts'
import { foldersOf, sandboxesRoot } from '../../src/runtime/local/layout.ts'
import { makeLimits, removeLimits } from '../../src/runtime/local/limits.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { waysHere } from '../support/machine.ts'
import { ask, Inside, jobCli } from './inside.ts'

setDefaultTimeout(60_000)

/** Whatever of this is found inside has leaked. */
const CANARY = `canary-${crypto.randomUUID()}`
/** Everything inside that is not the system's own. */
const READABLE = '/home /workspace /etc /run /tmp /var /opt/claude /opt/sac/loop.sh /opt/sac/notify'
/** A pattern that finds it and not the command that looks for it. */
const finding = (secret: string) => `'[${secret[0]}]${secret.slice(1)}'`
const { ways, missing } = await waysHere()

describe.each(ISOLATIONS.filter((kind) => ways.includes(kind)))('a sandbox by way of "%s"', (isolation) => {
  let inside: Inside
  let neighbour: string
  const hostHome = mkdtempSync(join(homedir(), '.sac-canary-'))
  const run = (script: string) => inside.ask(1, script)
  const out = async (script: string) => (await run(script)).out

  beforeAll(async () => {
    writeFileSync(join(hostHome, 'secret'), CANARY)
    inside = new Inside({ isolation })
    await inside.start(1, { environment: { MINE: 'yes' } })
    await inside.start(2, { environment: { ANTHROPIC_AUTH_TOKEN: CANARY }, sandboxToken: CANARY, claudeMd: CANARY })
    neighbour = inside.folders(2).root
    writeFileSync(join(inside.folders(2).home, 'secret'), CANARY)
  })
  afterAll(async () => {
    await inside[Symbol.asyncDispose]()
    rmSync(hostHome, { recursive: true, force: true })
  })

  test('is a user without any right of root, in namespaces of its own', async () => {
    expect(await out('id -u')).not.toBe('0')
    expect(await out('id -un')).toBe('agent')
    const status = await out('cat /proc/self/status')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status).toMatch(new RegExp(`^${set}:\\s*0+$`, 'm'))
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m)
    expect(status).toMatch(/^Seccomp:\s*2$/m)
    for (const name of ['pid', 'mnt', 'ipc', 'uts', ...(isolation === 'plain' ? [] : ['user'])])
      expect(await out(`readlink /proc/self/ns/${name}`)).not.toBe(readlinkSync(`/proc/self/ns/${name}`))
    expect(await out('hostname')).toBe('agent')
  })

  test('where the server is root, belongs to a user of its own outside', async () => {
    if (isolation === 'user') return
    const uids = [1, 2].map((id) => readFileSync(join(inside.folders(id).hidden, 'sandbox'), 'utf8').split(' ')[0]).map((pid) => ownersBelow(Number(pid)))
    expect(uids[0]).not.toContain(0)
    expect(new Set([...(uids[0] ?? []), ...(uids[1] ?? [])]).size).toBe(2)
  })

  test('sees nothing of the machine’s people, of the portal’s data, or of other sandboxes', async () => {
    for (const path of [
      hostHome,
      homedir(),
      inside.dataDir,
      neighbour,
      inside.folders(1).hidden,
      '/root',
      '/etc/shadow',
      '/etc/ssl/private',
      '/var/log',
      '/var/lib',
      '/sys',
      '/boot',
      '/mnt',
    ])
      expect((await run(`ls ${path}`)).code).not.toBe(0)
    // Every file that can be read, links followed, but for the system's own programs.
    expect(await out(`grep -rslD skip -e ${finding(CANARY)} ${READABLE} --exclude-dir=jobs; true`)).toBe('')
  })

  test('sees nothing in any environment but what it was given', async () => {
    expect(await out('echo $MINE')).toBe('yes')
    expect(await out(`cat /proc/*/environ /proc/*/cmdline /proc/*/task/*/environ 2>/dev/null | tr "\\0" "\\n" | grep -ac -e ${finding(CANARY)}`)).toBe('0')
    const first = await out('tr "\\0" "\\n" < /proc/1/environ')
    expect(first).not.toContain(inside.dataDir)
    expect(first).not.toContain(process.env.HOME ?? 'no home')
  })

  test('sees its own processes only, and can neither signal nor trace any other', async () => {
    const pids = (await out('ls /proc | grep -E "^[0-9]+$"')).split('\n').map(Number)
    expect(pids.length).toBeLessThan(20)
    const outside = Bun.spawn(['sleep', '100'], { stdio: ['ignore', 'ignore', 'ignore'] })
    try {
      expect((await run(`kill -0 ${outside.pid}`)).code).not.toBe(0)
      expect((await run(`kill -9 ${outside.pid} ${process.pid}`)).code).not.toBe(0)
      expect(outside.exitCode).toBeNull()
      expect(await out(`python3 -c "import ctypes; print(ctypes.CDLL(None).ptrace(16, ${outside.pid}, 0, 0))" || echo -1`)).toContain('-1')
    } finally {
      outside.kill('SIGKILL')
    }
  })

  test('writes to its home, the workspace and temporary folders, and nowhere else', async () => {
    const writable = await out(
      'for d in $(find / -xdev -type d -not -path "/proc/*" 2>/dev/null; find /home /workspace /tmp /var/tmp /dev /run /opt /etc -type d 2>/dev/null); do if ( : > "$d/.probe" ) 2>/dev/null; then rm "$d/.probe"; echo "$d"; fi; done | sort -u',
    )
    const allowed = /^\/(home\/agent|workspace|tmp|var\/tmp|dev(\/shm)?)(\/|$)/
    expect(writable.split('\n').filter((path) => !allowed.test(path))).toEqual([])
    for (const path of ['/home/agent', '/workspace', '/workspace/output', '/tmp', '/var/tmp']) expect(writable.split('\n')).toContain(path)
    for (const file of [
      '/usr/bin/env',
      '/etc/passwd',
      '/etc/hosts',
      '/etc/claude-code/managed-settings.json',
      '/opt/claude/claude',
      '/opt/sac/loop.sh',
      '/proc/sys/kernel/core_pattern',
      '/proc/sysrq-trigger',
    ])
      expect((await run(`: >> ${file}`)).code).not.toBe(0)
    expect((await run('rm -rf /run/sac/* /opt/claude/claude; mount -o remount,rw /usr')).code).not.toBe(0)
    expect(await out('echo fine >> /dev/stderr')).toBe('fine')
  })

  test('gains nothing by setuid programs, new namespaces, keyrings or device files', async () => {
    expect(await out('cp /usr/bin/id /tmp/id; chmod 6755 /tmp/id; /tmp/id -u')).toBe(await out('id -u'))
    expect((await run('mknod /tmp/disk b 254 0')).code).not.toBe(0)
    for (const script of ['unshare -U true', 'unshare -m true', 'unshare -n true', 'nsenter -t 1 -m true', 'chroot / true']) expect((await run(script)).code).not.toBe(0)
    const call = (number: number) => `python3 -c "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.syscall(${number}, 0, 0, 0, 0, 0), ctypes.get_errno())"`
    if (process.arch === 'x64' && (await run('python3 -c pass')).code === 0) {
      // keyctl, bpf, userfaultfd, io_uring_setup: not permitted; clone3: not there.
      for (const number of [250, 321, 323, 425]) expect(await out(call(number))).toBe('-1 1')
      expect(await out(call(435))).toBe('-1 38')
    }
  })

  test('cannot type into a terminal, not even its own', async () => {
    if ((await run('python3 -c pass')).code !== 0) return
    expect(await out("python3 -c \"import fcntl, termios\nfor c in b'id\\n': fcntl.ioctl(open('/dev/tty'), termios.TIOCSTI, bytes([c]))\" 2>&1 | tail -1")).toContain(
      'Operation not permitted',
    )
  })

  test('a bomb of processes goes off in its own sandbox only, which can be stopped', async () => {
    await inside.start(4, { resources: { cpuLimit: 1, memoryLimitBytes: 256 * 1024 ** 2, pidsLimit: 40 } })
    await inside.ask(4, 'for i in $(seq 200); do sleep 60 & done; true')
    const mark = Number(readFileSync(join(inside.folders(4).hidden, 'sandbox'), 'utf8').split(' ')[0])
    expect(descendants(mark).length).toBeLessThan(60)
    expect((await run('echo well')).out).toBe('well')
    await inside.runtime.stop({ userId: 1, agentId: 4, generation: 1 })
    expect(lives(mark)).toBe(false)
  })

  test('who eats more memory than the sandbox has is ended there, and nobody beside it notices', async () => {
    const resources = { cpuLimit: 1, memoryLimitBytes: 128 * 1024 ** 2, pidsLimit: 100 }
    const { missing: unlimited } = makeLimits('probe', resources)
    removeLimits('probe')
    if (unlimited.some((what) => what.startsWith('memory'))) return
    await inside.start(5, { resources })
    expect((await inside.ask(5, '(x=$(head -c 400000000 /dev/zero | tr "\\0" x)) 2>/dev/null; echo "then $?"')).out).toContain('then 137')
    expect((await inside.ask(5, 'echo well')).out).toBe('well')
    expect((await run('echo well')).out).toBe('well')
    await inside.runtime.stop({ userId: 1, agentId: 5, generation: 1 })
  })

  test('loses everything that it left running when it is stopped', async () => {
    await inside.start(3)
    await inside.ask(3, 'setsid sh -c "trap \'\' TERM HUP; exec -a sac-left-behind sleep 1000" >/dev/null 2>&1 & sleep 0.1')
    const below = descendants(Number(readFileSync(join(inside.folders(3).hidden, 'sandbox'), 'utf8').split(' ')[0]))
    expect(below.length).toBeGreaterThan(2)
    await inside.runtime.stop({ userId: 1, agentId: 3, generation: 1 })
    expect(below.filter((pid) => lives(pid))).toEqual([])
  })

  test('leaves no key on the disk in the clear when it is stopped', async () => {
    const key = `canary-${crypto.randomUUID()}`
    await inside.start(5, { environment: { ANTHROPIC_AUTH_TOKEN: key } })
    await inside.runtime.stop({ userId: 1, agentId: 5, generation: 1 })
    expect(Bun.spawnSync(['grep', '-rl', key, inside.folders(5).root]).stdout.toString()).toBe('')
  })
})

describe.skipIf(ways.length === 0)(`the product’s own sandboxes${ways.length === 0 ? ` (${missing})` : ''}`, () => {
  let app: TestApp
  let folder: string
  let workspace: string
  let agentId: number
  let listener: Server
  const run = (script: string) => ask(workspace, script)

  beforeAll(async () => {
    process.env.SAC_TEST_CANARY = CANARY
    folder = mkdtempSync(join(tmpdir(), 'sac-test-canary-'))
    chmodSync(folder, 0o755)
    app = await startTestApp({ claudeBin: jobCli(folder), env: { ADMIN_PASSWORD: CANARY } })
    const mira = await app.as('mira')
    agentId = await mira.createAgent('One')
    await mira.startAgent(agentId)
    workspace = foldersOf(sandboxesRoot(app.dataDir), { userId: await ownerOf(app, agentId), agentId }).workspace
    listener = createServer().listen(0, '127.0.0.1')
  })
  afterAll(async () => {
    delete process.env.SAC_TEST_CANARY
    listener?.close()
    await app?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('hold neither the sidecar’s token nor a word of the server’s environment', async () => {
    const hidden = foldersOf(sandboxesRoot(app.dataDir), { userId: await ownerOf(app, agentId), agentId }).hidden
    const token = readFileSync(join(hidden, 'token'), 'utf8')
    for (const secret of [token, CANARY]) {
      expect((await run(`cat /proc/*/environ /proc/*/cmdline 2>/dev/null | grep -ac -e ${finding(secret)}`)).out).toBe('0')
      expect((await run(`grep -rslD skip -e ${finding(secret)} ${READABLE} --exclude-dir=jobs; true`)).out).toBe('')
    }
  })

  test('find no socket of the database, and every listener of the portal on loopback asks who they are', async () => {
    const socket = new URL(app.portal.context.config.database.url ?? 'x:').searchParams.get('socket')
    expect((await run(`ls ${socket ?? app.dataDir}`)).code).not.toBe(0)
    expect((await run('find / -type s -not -path "/proc/*" 2>/dev/null')).out).toBe('/run/sac/sidecar.sock')
    const status = async (method: string, url: string) =>
      (
        await run(
          `python3 -c "import urllib.request, urllib.error\ntry: print(urllib.request.urlopen(urllib.request.Request('${url}', method='${method}', data=b'' if '${method}' != 'GET' else None)).status)\nexcept urllib.error.HTTPError as e: print(e.code)"`,
        )
      ).out
    if ((await run('python3 -c pass')).code !== 0) return
    const { url, internalUrl } = app.portal
    expect(await status('POST', `${internalUrl}/api/internal/output/upload?path=x`)).toBe('401')
    expect(await status('POST', `${internalUrl}/api/internal/activity`)).toBe('401')
    expect(await status('GET', `${url}/api/sessions`)).toBe('401')
    expect(await status('POST', `${url}/api/internal/output/upload?path=x`)).toBe('404')
  })

  test('reach their own sidecar, which carries their files out', async () => {
    mkdirSync(join(workspace, 'output'), { recursive: true })
    expect((await run('echo \'{"hook_event_name":"UserPromptSubmit"}\' | /opt/sac/notify; umask 077; echo kept > /workspace/output/kept.txt')).code).toBe(0)
    const { agents, listing } = app.portal.context
    const agent = await agents.present(agentId)
    if (!agent) throw new Error('no agent')
    await until(async () => JSON.stringify(await listing(agent, '')).includes('kept.txt'), { timeoutMs: 10_000, what: 'the file' })
    await until(async () => (await app.portal.context.sessions.ofAgent(agentId))?.activity === 'working', { timeoutMs: 10_000, what: 'the hook' })
  })

  test('get a removed output folder back as their own', async () => {
    const again = 'rm -rf /workspace/output; until { echo again > /workspace/output/again.txt; } 2>/dev/null; do sleep 0.1; done'
    expect(await run(again)).toEqual({ code: 0, out: '' })
  })
})

async function ownerOf(app: TestApp, agentId: number): Promise<number> {
  return (await app.portal.context.agents.present(agentId))?.createdBy ?? 0
}

function descendants(root: number): number[] {
  const found = [root]
  for (const pid of found) found.push(...childrenOf(pid))
  return found
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Who the processes of the agent itself belong to; what keeps the sandbox up may be root's. */
function ownersBelow(root: number): number[] {
  return [
    ...new Set(
      descendants(root)
        .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/bin/sh'))
        .map((pid) => Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])),
    ),
  ]
}

function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
