import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { ask } from '../runtime/inside.ts'
import { waysHere } from '../support/machine.ts'
import { isAlive } from '../support/processes.ts'
import { random } from '../support/random.ts'
import { ServerProcess } from './server-process.ts'

setDefaultTimeout(120_000)
const { ways, missing } = await waysHere()

describe.skipIf(ways.length === 0)(`sandboxes when things are killed${missing ? ` (${missing})` : ''}`, () => {
  let server: ServerProcess
  const chance = random('sandboxes when things are killed')
  beforeAll(async () => {
    server = await ServerProcess.start()
    await server.ask('PUT', '/api/admin/settings/max_agents_per_user', { value: 50 })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const inside = (agentId: number, script: string) => ask(server.folders(agentId).workspace, script)

  async function running(name: string): Promise<number> {
    const agentId = await server.createAgent(name)
    await server.open(agentId)
    await server.becomes(agentId, 'running')
    return agentId
  }

  test('a killed server leaves the CLI running, and the next one takes the same process over', async () => {
    const agentId = await running('kept')
    await inside(agentId, 'echo $PPID > /tmp/cli')
    const pid = server.pid(agentId)
    await server.kill()
    expect(isAlive(pid)).toBe(true)
    expect((await inside(agentId, 'echo on')).out).toBe('on')
    await server.up()
    expect(await server.session(agentId)).toMatchObject({ status: 'running' })
    expect(server.pid(agentId)).toBe(pid)
    expect((await inside(agentId, '[ "$(cat /tmp/cli)" = $PPID ] && echo same')).out).toBe('same')
    expect(server.terminals().length).toBe(1)
  })

  test('a killed CLI comes back in its terminal after two seconds; the sandbox is the same', async () => {
    const agentId = await running('cli')
    const pid = server.pid(agentId)
    await inside(agentId, 'echo $PPID > /workspace/first')
    await inside(agentId, 'setsid sh -c "sleep 0.1; kill -9 $PPID" >/dev/null 2>&1 &')
    const another = async () => (await inside(agentId, '[ "$(cat /workspace/first)" != $PPID ] && echo another')).out === 'another'
    await until(another, { timeoutMs: 10_000, what: 'another CLI' })
    expect([server.pid(agentId), (await server.session(agentId))?.status]).toEqual([pid, 'running'])
  })

  test.each(['bubblewrap', 'dtach', 'the loop'])('when %s is killed the sandbox starts anew, and nothing of the old one stays', async (what) => {
    const agentId = await running(what)
    const old = server.pid(agentId)
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${old}/status`, 'utf8'))?.[1])
    if (what === 'the loop') await inside(agentId, 'setsid sh -c "sleep 0.1; kill -9 $(ps -o ppid= -p $PPID)" >/dev/null 2>&1 &')
    else process.kill(what === 'dtach' ? parent : old, 'SIGKILL')
    await until(() => server.pid(agentId) !== old && server.pid(agentId) !== 0, { timeoutMs: 15_000, what: 'another sandbox' })
    expect(await server.becomes(agentId, 'running')).toMatchObject({ status: 'running' })
    expect((await inside(agentId, 'echo back')).out).toBe('back')
    expect([isAlive(old), isAlive(parent)]).toEqual([false, false])
    expect(server.terminals().filter((words) => words[2] === server.folders(agentId).terminalSocket).length).toBe(1)
  })

  test('one that falls over again and again is left down with the reason and what to do, and can be started again', async () => {
    const agentId = await running('falls')
    for (let falls = 0; falls < 4; falls++) {
      await server.becomes(agentId, 'running')
      const pid = server.pid(agentId)
      process.kill(pid, 'SIGKILL')
      await until(async () => (await server.session(agentId))?.status !== 'running' || server.pid(agentId) !== pid, { timeoutMs: 10_000, what: 'the fall to be seen' })
    }
    const { reason } = await server.becomes(agentId, 'failed')
    expect(reason).toContain('start it again')
    await until(() => !existsSync(server.folders(agentId).terminalSocket), { what: 'no socket of it' })
    await server.open(agentId)
    await server.becomes(agentId, 'running')
  })

  test('an agent that is deleted while it starts is gone, with its folders, and no process of it is left', async () => {
    const ids = await Promise.all(Array.from({ length: 4 }, (_, i) => server.createAgent(`short ${i}`)))
    await Promise.all(
      ids.map(async (id) => {
        await server.open(id)
        await Bun.sleep(chance() * 120)
        expect((await server.ask('DELETE', `/api/agents/${id}`)).status).toBeLessThan(300)
      }),
    )
    await until(() => ids.every((id) => !existsSync(server.folders(id).root)), { timeoutMs: 10_000, what: 'the end of their folders' })
    expect(server.processes().filter((words) => ids.some((id) => words.some((word) => word.includes(server.folders(id).root))))).toEqual([])
    for (const id of ids) expect((await server.ask('GET', `/api/agents/${id}`)).status).toBe(404)
  })

  test('a server that is killed in the middle of starts, stops and deletions finds everything as the rows say within ten seconds', async () => {
    for (let round = 0; round < 4; round++) {
      const [starts, restarts, stops, goes] = await Promise.all(['starts', 'restarts', 'stops', 'goes'].map((name) => server.createAgent(`${name} ${round}`)))
      if (!starts || !restarts || !stops || !goes) throw new Error('no agents')
      await Promise.all([restarts, stops, goes].map((id) => server.open(id)))
      await Promise.all([restarts, stops, goes].map((id) => server.becomes(id, 'running')))
      await Promise.all([
        server.open(starts),
        server.ask('POST', `/api/agents/${restarts}/restart`),
        server.ask('POST', `/api/agents/${stops}/stop`),
        server.ask('DELETE', `/api/agents/${goes}`),
      ])
      await Bun.sleep(chance() * 200)
      await server.kill()
      await server.up()
      await Promise.all([server.becomes(starts, 'running', 10_000), server.becomes(restarts, 'running', 10_000)])
      const terminalsOf = (id: number) => server.terminals().filter((words) => words[2] === server.folders(id).terminalSocket).length
      await until(() => terminalsOf(stops) === 0 && terminalsOf(goes) === 0 && !existsSync(server.folders(goes).root), { timeoutMs: 10_000, what: 'what should be gone' })
      await until(() => terminalsOf(starts) === 1 && terminalsOf(restarts) === 1, { timeoutMs: 10_000, what: 'one terminal of each that runs' })
      expect((await inside(starts, 'echo on')).out + (await inside(restarts, 'echo on')).out).toBe('onon')
      expect((await server.session(stops))?.status).toBe('stopped')
      await Promise.all([starts, restarts, stops].map((id) => server.ask('DELETE', `/api/agents/${id}`)))
    }
  })
})

test('where the machine cannot isolate, a start fails with a sentence that says how to allow it', async () => {
  await using server = await ServerProcess.start({ env: { PATH: pathWithoutBubblewrap() } })
  const agentId = await server.createAgent()
  await server.open(agentId)
  const { reason } = await server.becomes(agentId, 'failed')
  expect(reason).toContain('apt-get install bubblewrap')
  expect(reason).toContain('SAC_ALLOW_UNSANDBOXED=1')
  expect(server.terminals()).toEqual([])
})

test('an operator who accepts no isolation gets agents that run, each with a visible warning', async () => {
  await using server = await ServerProcess.start({ env: { PATH: pathWithoutBubblewrap(), SAC_ALLOW_UNSANDBOXED: '1', CLAUDE_BIN: '/bin/bash' } })
  const agentId = await server.createAgent()
  await server.open(agentId)
  expect((await server.becomes(agentId, 'running')).warning).toContain('without isolation')
  await server.kill()
  await server.up()
  expect(await server.session(agentId)).toMatchObject({ status: 'running', warning: expect.stringContaining('without isolation') })
  await server.ask('POST', `/api/agents/${agentId}/stop`)
  await until(() => server.terminals().length === 0, { timeoutMs: 10_000, what: 'its end' })
})

const mayMount = process.getuid?.() === 0 && Bun.spawnSync(['unshare', '--mount', '--propagation', 'unchanged', 'true']).exitCode === 0
test.skipIf(ways.length === 0 || !mayMount)(
  `a full disk in DATA_DIR is named, and the start works once there is space${mayMount ? '' : ' (only root may make a small disk)'}`,
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sac-test-small-'))
    expect(Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'sac-test', dataDir]).exitCode).toBe(0)
    try {
      await using server = await ServerProcess.start({ dataDir: join(dataDir, 'data'), env: { JWT_SECRET: `${crypto.randomUUID()}${crypto.randomUUID()}` } })
      const agentId = await server.createAgent()
      mkdirSync(join(dataDir, 'ballast'))
      Bun.spawnSync(['sh', '-c', `cat /dev/zero > ${join(dataDir, 'ballast', 'zeros')}`])
      await server.open(agentId)
      expect((await server.becomes(agentId, 'failed')).reason).toContain('disk is full')
      rmSync(join(dataDir, 'ballast'), { recursive: true })
      await server.open(agentId)
      await server.becomes(agentId, 'running')
    } finally {
      Bun.spawnSync(['umount', '-l', dataDir])
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
)

/** Everything but bubblewrap. */
function pathWithoutBubblewrap(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sac-test-path-'))
  for (const program of ['dtach', 'setpriv', 'sh', 'rm', 'chown', 'chmod', 'cat', 'mv', 'unshare', 'bash']) {
    const path = Bun.which(program)
    if (path) symlinkSync(path, join(folder, program))
  }
  return folder
}
