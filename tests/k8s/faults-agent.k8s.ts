// What a node does to an agent: its pod, its container, the runtime’s task, the runtime itself are killed, the cluster's API goes silent.
// No file that the portal has acknowledged is lost, and the conversation goes on.
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { AGENT_CONTAINER, SIDECAR_CONTAINER } from '../../src/runtime/names.ts'
import type { TerminalClient } from '../support/terminal-client.ts'
import { given } from './given.ts'
import { containerId, killContainer, killContainerRuntime, killTask, withoutApi } from './node.ts'
import { InstalledPortal, type PortalUser, type SessionJson, shell } from './portal.ts'
import { kubectl } from './shell.ts'

setDefaultTimeout(240_000)
const OUTAGE_MS = 30_000
given('NODE_COMMAND')

let portal: InstalledPortal
let user: PortalUser
beforeAll(async () => {
  portal = await InstalledPortal.install('k8s-faults')
  await signIn()
}, 280_000)

// The way into the cluster may be breaking just now.
async function signIn(): Promise<void> {
  const tried = async () => portal.admin((await portal.replicas())[0] ?? '').catch(() => undefined)
  user = await until(tried, { timeoutMs: 60_000, intervalMs: 500, what: 'a replica that answers' })
}

/** An agent at work: it says a word in its conversation, and a file after the other appears in its output. */
async function atWork(name: string) {
  const agentId = await user.createAgent(name)
  const session = await user.open(agentId)
  const terminal = user.terminal(session.session_id)
  const writing = 'i=0; while [ ! -e /workspace/enough ]; do i=$((i+1)); echo $i > /workspace/next; mv /workspace/next /workspace/output/$i.txt; sleep 0.1; done'
  await shell(terminal, `setsid sh -c '${writing}' > /dev/null 2>&1 & echo said-before-$((20+3))`, 'said-before-23')
  await until(async () => (await user.output(agentId)).length > 8, { timeoutMs: 20_000, what: 'files' })
  return { agentId, session, terminal, pod: `claude-code-${user.id}-${agentId}-0` }
}

/** That everything acknowledged is there, that nothing of the sandbox is missing, and that the conversation is the old one. */
async function nothingIsLost(agentId: number, terminal: TerminalClient, acknowledged: string[]): Promise<void> {
  const lost = async () => {
    const there = await user.output(agentId)
    return acknowledged.filter((path) => !there.includes(path))
  }
  expect(await lost()).toEqual([])
  for (const path of acknowledged.slice(-20)) expect({ path, content: await user.read(agentId, path) }).toEqual({ path, content: `${path.replace('.txt', '')}\n` })
  await terminal.shows('said-before-23', 60_000)
  await shell(terminal, 'touch /workspace/enough; sleep 0.5; echo has-$(ls /workspace/output | wc -l)-has-$((20+3))', '-has-23')
  const count = await until(() => /has-(\d+)-has-23/.exec(terminal.text)?.[1], { what: 'the number of files in the sandbox' })
  expect(Number(count)).toBeGreaterThanOrEqual(acknowledged.length)
  await until(async () => (await user.output(agentId)).length === Number(count), { timeoutMs: 20_000, what: `${count} files in the list` })
  expect(await lost()).toEqual([])
}

/** Opens anew until the terminal of another start has its prompt. */
async function comesBack(session: SessionJson, terminal: TerminalClient): Promise<void> {
  const { stream } = terminal.status ?? {}
  await until(() => terminal.status?.stream !== stream || terminal.closed, { timeoutMs: 90_000, what: 'a new terminal on the open socket' })
  expect(terminal.closed).toBeUndefined()
  await user.becomes(session.session_id, 'running')
  await terminal.shows('❯', 60_000)
}

const faults: [name: string, kill: (pod: string) => Promise<unknown>][] = [
  ['its pod is killed', (pod) => kubectl('delete', 'pod', '-n', portal.agents, '--grace-period=0', '--force', pod)],
  ['its container is killed', async (pod) => killContainer(await containerId(portal.agents, pod, AGENT_CONTAINER))],
  ['the sidecar’s container is killed', async (pod) => killContainer(await containerId(portal.agents, pod, SIDECAR_CONTAINER))],
  ['the runtime’s task of its pod is killed', async (pod) => killTask(await containerId(portal.agents, pod, AGENT_CONTAINER))],
]

test.each(faults)('an agent goes on with its files and its conversation when %s', async (name, kill) => {
  const { agentId, session, terminal, pod } = await atWork('Hit')
  const acknowledged = await user.output(agentId)
  const began = performance.now()
  terminal.text = ''
  const back = name.includes('sidecar') ? undefined : comesBack(session, terminal)
  await kill(pod)
  await back
  process.stdout.write(`${name}: ${Math.round(performance.now() - began)} ms to the prompt of the terminal that stayed open\n`)
  if (!back) terminal.frame('1', JSON.stringify({ columns: 100, rows: 31 }))
  await nothingIsLost(agentId, terminal, acknowledged)
  terminal.socket.close()
  await user.ask('DELETE', `/api/agents/${agentId}`)
})

test('containerd is killed: the agent’s container stays, its files go on, and the next agent starts', async () => {
  const { agentId, session, terminal, pod } = await atWork('Kept')
  const acknowledged = await user.output(agentId)
  const container = await containerId(portal.agents, pod, AGENT_CONTAINER)
  await killContainerRuntime(container)
  // The ways into the cluster go through it: they are made anew.
  await signIn()
  await until(async () => (await user.output(agentId)).length > acknowledged.length + 10, { timeoutMs: 30_000, what: 'more files' })
  const again = user.terminal(session.session_id)
  await nothingIsLost(agentId, again, acknowledged)
  expect(await containerId(portal.agents, pod, AGENT_CONTAINER)).toBe(container)
  expect(await user.session(session.session_id)).toMatchObject({ status: 'running', reason: null, warning: null })
  const next = await user.createAgent('Next')
  await user.open(next)
  for (const { socket } of [terminal, again]) socket.close()
  for (const id of [agentId, next]) await user.ask('DELETE', `/api/agents/${id}`)
})

test('the cluster’s API is silent for 30 s: terminals and files go on, nothing is taken for lost, what was asked for starts afterwards', async () => {
  const { agentId, session, terminal } = await atWork('Far')
  const { stream } = terminal.status ?? {}
  const waiting = await user.createAgent('Waiting')
  let asked: SessionJson
  {
    const { items } = JSON.parse(await kubectl('get', 'pods', '-n', portal.namespace, '-l', 'app.kubernetes.io/component=server', '-o', 'json')) as {
      items: { status: { podIP: string } }[]
    }
    await using _silence = await withoutApi(items.map(({ status }) => status.podIP))
    const end = performance.now() + OUTAGE_MS
    asked = (await user.ask<SessionJson>('POST', '/api/sessions', { agent_id: waiting })).body
    for (let round = 0; performance.now() < end; round++) {
      const files = (await user.output(agentId)).length
      terminal.text = '❯'
      await shell(terminal, `echo round-${round}-$((20+3))`, `round-${round}-23`)
      await until(async () => (await user.output(agentId)).length > files + 15, { timeoutMs: 10_000, what: 'more files' })
      expect((await user.session(session.session_id)).status).toBe('running')
      expect((await user.session(asked.session_id)).status).toBe('creating')
    }
  }
  await user.becomes(asked.session_id, 'running')
  expect(await user.session(session.session_id)).toMatchObject({ status: 'running', reason: null })
  expect({ closed: terminal.closed, stream: terminal.status?.stream }).toEqual({ closed: undefined, stream })
})
