// Sessions in a portal that the chart has installed, with two replicas: started, lost, healed, put to sleep and woken.
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { InstalledPortal, type PortalUser, type SessionJson, shell } from './portal.ts'
import { kubectl } from './shell.ts'

setDefaultTimeout(180_000)

let portal: InstalledPortal
let here: PortalUser
let there: PortalUser
let agentId: number
let session: SessionJson
beforeAll(async () => {
  portal = await InstalledPortal.install('k8s-sessions')
  const [first = '', second = ''] = await portal.replicas()
  here = await portal.admin(first)
  there = here.at(await portal.url(second))
  agentId = await here.createAgent('Kept')
}, 280_000)

const pod = () => `claude-code-${here.id}-${agentId}-0`
const tokenOfPod = async () => {
  const volumes = JSON.parse(await kubectl('get', 'pod', '-n', portal.agents, pod(), '-o', 'jsonpath={.spec.volumes}')) as { name: string; secret?: { secretName: string } }[]
  const name = volumes.find((volume) => volume.name === 'token')?.secret?.secretName ?? ''
  return Buffer.from(await kubectl('get', 'secret', '-n', portal.agents, name, '-o', 'jsonpath={.data.token}'), 'base64').toString()
}
const pods = async () => (await kubectl('get', 'pods', '-n', portal.agents, '-o', 'name')).split('\n').filter(Boolean)

test('a click brings up the genuine CLI in a pod; its files appear; any replica serves the terminal and the list', async () => {
  const began = performance.now()
  session = await here.open(agentId)
  process.stdout.write(
    `click to ready: ${Math.round(performance.now() - began)} ms; ${session.steps.map(({ step, startedMs, endedMs = 0 }) => `${step} ${endedMs - startedMs}`).join(', ')}\n`,
  )
  expect(session.steps.map(({ step }) => step)).toEqual(['scheduling', 'starting', 'restoring', 'terminal'])
  const terminal = there.terminal(session.session_id)
  await terminal.shows('Claude Code')
  await shell(terminal, 'echo made-$((20+3)) > /workspace/output/made.txt; cat /workspace/output/made.txt', 'made-23')
  await until(async () => (await here.output(agentId)).includes('made.txt'), { timeoutMs: 15_000, what: 'the file at one replica' })
  await until(async () => (await there.output(agentId)).includes('made.txt'), { timeoutMs: 15_000, what: 'the file at the other' })
  terminal.socket.close()
})

test('a killed pod comes back by itself: the page is told what happened, the open terminal goes on, the files are there', async () => {
  const terminal = there.terminal(session.session_id)
  await terminal.shows('❯')
  const { stream } = terminal.status ?? {}
  await kubectl('delete', 'pod', '-n', portal.agents, '--grace-period=0', '--force', pod())
  const lost = await here.becomes(session.session_id, 'creating', 20_000)
  expect(lost.reason).toMatch(/^The sandbox’s pod/)
  const back = await here.becomes(session.session_id, 'running')
  expect(back.warning).toContain('came back by itself')
  await until(() => terminal.status?.stream !== stream, { timeoutMs: 15_000, what: 'the new terminal on the old socket' })
  terminal.text = ''
  terminal.frame('1', JSON.stringify({ columns: 110, rows: 31 }))
  await shell(terminal, 'cat /workspace/output/made.txt', 'made-23')
  expect(terminal.closed).toBeUndefined()
  terminal.socket.close()
})

test('the token of an older start is refused', async () => {
  const old = await tokenOfPod()
  const [replica = ''] = await portal.replicas()
  const internal = await portal.url(replica, 8082)
  const room = async (token: string) =>
    (
      await fetch(`${internal}/api/internal/output/room`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ path: 'x', size: 1 }),
      })
    ).status
  expect(await room(old)).toBe(200)
  await here.ask('POST', `/api/agents/${agentId}/restart`)
  await here.becomes(session.session_id, 'running')
  await until(async () => (await room(old)) === 401, { timeoutMs: 5000, what: 'the end of the old token' })
  expect(await room(await tokenOfPod())).toBe(200)
})

test('an agent at which nothing happens gives its room back; sockets that come back do not wake it, a wish does, with its files', async () => {
  const terminal = there.terminal(session.session_id)
  await terminal.shows('❯')
  await here.ask('PUT', '/api/admin/settings/idle_after_seconds', { value: 60 })
  await here.becomes(session.session_id, 'asleep', 150_000)
  expect(await terminal.ends()).toBe(4404)
  await until(async () => !(await pods()).includes(`pod/${pod()}`), { timeoutMs: 60_000, what: 'the end of the pod' })
  for (const user of [here, there]) expect((await user.ask('GET', `/ws/${session.session_id}`)).status).toBe(404)
  expect(await here.session(session.session_id)).toMatchObject({ status: 'asleep' })
  expect(await pods()).toEqual([])
  await here.ask('PUT', '/api/admin/settings/idle_after_seconds', { value: 3600 })
  const began = performance.now()
  await there.open(agentId)
  process.stdout.write(`wake to ready: ${Math.round(performance.now() - began)} ms\n`)
  const again = here.terminal(session.session_id)
  await shell(again, 'cat /workspace/output/made.txt', 'made-23')
  again.socket.close()
})

test('a killed replica: the terminal goes on at the other one, which serves every request meanwhile, and starts go on', async () => {
  const [first = '', second = ''] = await portal.replicas()
  const dying = here.at(await portal.url(first))
  const staying = here.at(await portal.url(second))
  const terminal = dying.terminal(session.session_id)
  await terminal.shows('❯')
  const other = await staying.createAgent('Other')
  const opened = (await dying.ask<SessionJson>('POST', '/api/sessions', { agent_id: other })).body
  const statuses: number[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      statuses.push((await staying.ask('GET', '/api/agent-statuses')).status)
      await Bun.sleep(50)
    }
  })()
  await kubectl('delete', 'pod', '-n', portal.namespace, '--grace-period=0', '--force', first)
  const again = staying.terminal(session.session_id)
  await shell(again, 'echo still-$((20+3))', 'still-23')
  again.socket.close()
  await staying.becomes(opened.session_id, 'running', 60_000)
  isOver = true
  await asking
  expect(statuses.filter((status) => status !== 200)).toEqual([])
  await until(async () => (await portal.replicas()).length === 2, { timeoutMs: 60_000, what: 'two replicas' })
  await staying.ask('DELETE', `/api/agents/${other}`)
})

test('a deleted agent leaves nothing in the cluster but its volume', async () => {
  const [, second = ''] = await portal.replicas()
  const user = here.at(await portal.url(second))
  await user.ask('DELETE', `/api/agents/${agentId}`)
  const left = async () => (await kubectl('get', 'all,secrets', '-n', portal.agents, '-l', `agent-id=${agentId}`, '-o', 'name')).trim()
  await until(async () => (await left()) === '', { timeoutMs: 60_000, what: 'the end of its objects' })
  expect(await kubectl('get', 'pvc', '-n', portal.agents, '-l', `agent-id=${agentId},sac.dev/released=true`, '-o', 'name')).toMatch(/data-[0-9a-f]{8}-claude-code/)
})
