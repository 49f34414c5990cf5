// What happens to the portal itself: Redis goes, a replica is killed while people type, the one that reconciles is killed, all are
// replaced under load. Nobody gets an error from a replica that lives, and terminals are back within five seconds.
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { containerId, killContainer } from './node.ts'
import { InstalledPortal, type PortalUser, type SessionJson, shell } from './portal.ts'
import { kubectl } from './shell.ts'
import { Visitor } from './visiting.ts'
import type { Visit } from './visitor.ts'

setDefaultTimeout(240_000)
const BACK_MS = 5000
given('NODE_COMMAND')

let portal: InstalledPortal
let sessions: SessionJson[]
let agents: number[]
beforeAll(async () => {
  portal = await InstalledPortal.install('k8s-portals')
  const [first] = await users()
  agents = [await first.createAgent('One'), await first.createAgent('Two')]
  sessions = []
  for (const id of agents) sessions.push(await first.open(id))
}, 280_000)

/** The admin at both replicas. */
async function users(): Promise<[PortalUser, PortalUser]> {
  await until(async () => (await portal.replicas()).length === 2, { timeoutMs: 60_000, intervalMs: 300, what: 'two replicas' })
  const [first = '', second = ''] = await portal.replicas()
  const user = await portal.admin(first)
  return [user, user.at(await portal.url(second))]
}

const killReplica = async (name: string) => killContainer(await containerId(portal.namespace, name, 'server'))
const idOf = (at: number) => sessions[at]?.session_id ?? ''

const tell = (what: string, { answers, terminals }: Visit) =>
  process.stdout.write(`${what}: absences of terminals ${terminals.map(({ gapsMs }) => gapsMs.join(' ')).join(' | ')} ms; answers ${JSON.stringify(answers)}\n`)

/** The replica that says that it reconciles. */
async function reconciling(): Promise<string | undefined> {
  for (const name of await portal.replicas()) {
    const said = (await kubectl('logs', '-n', portal.namespace, name)).match(/(this|another) replica reconciles/g)?.at(-1)
    if (said?.startsWith('this')) return name
  }
  return undefined
}

/** That what a visitor has typed and seen is in the agents' prompts, in its order and wherever the lines break. */
async function everyEchoedWordIsThere({ terminals }: Visit): Promise<void> {
  const [user] = await users()
  for (const [at, { echoed }] of terminals.entries()) {
    expect(echoed.length).toBeGreaterThan(3)
    const terminal = user.terminal(idOf(at))
    const letters = () => terminal.text.replace(/\x1b(\[[\d;?]*[A-Za-z]|\][^\x07]*\x07|.)/g, '').replace(/\s/g, '')
    await until(() => new RegExp(echoed.join('.*')).test(letters()), { timeoutMs: 15_000, what: `${echoed.join(' ')} on the screen` }).catch((error: Error) => {
      throw new Error(`${error.message}, which has ${letters().slice(-600)}`)
    })
    terminal.socket.close()
  }
}

/** A stream of changes of an agent's output at one replica, and what it has told. */
async function watch(user: PortalUser, agentId: number) {
  const ending = new AbortController()
  const answer = await fetch(`${user.url}/api/workspace/output/watch?agent_id=${agentId}`, { headers: { authorization: `Bearer ${user.token}` }, signal: ending.signal })
  const told = { text: '' }
  const reading = (async () => {
    for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) told.text += new TextDecoder().decode(bytes)
  })().catch(() => {})
  return {
    hears: (word: string, timeoutMs: number) => until(() => told.text.includes(word), { timeoutMs, what: `${word} at ${user.url}` }),
    async [Symbol.asyncDispose]() {
      ending.abort()
      await reading
    },
  }
}

test('Redis is killed: both replicas go on from the rows, nothing is lost, and its return needs no help', async () => {
  const [here, there] = await users()
  const agentId = agents[0] ?? 0
  await using atHere = await watch(here, agentId)
  await using atThere = await watch(there, agentId)
  const terminal = here.terminal(idOf(0))
  const write = async (name: string) => {
    terminal.text = '❯'
    await shell(terminal, `echo ${name}-is-here > output/${name}.txt; echo ${name}-$((20+3))`, `${name}-23`)
    for (const stream of [atHere, atThere]) await stream.hears(`${name}.txt`, 20_000)
  }
  await terminal.shows('❯')
  await write('before')
  await kubectl('scale', 'deployment', '-n', portal.namespace, 'sac-redis', '--replicas=0')
  await kubectl('delete', 'pod', '-n', portal.namespace, '-l', 'app.kubernetes.io/component=redis', '--grace-period=0', '--force')
  await write('without')
  // A start at one replica is seen through by the one that reconciles, and shown by both.
  const other = await there.createAgent('Other')
  const started = await there.open(other)
  await here.becomes(started.session_id, 'running')
  await there.ask('DELETE', `/api/agents/${other}`)
  await kubectl('scale', 'deployment', '-n', portal.namespace, 'sac-redis', '--replicas=1')
  await kubectl('rollout', 'status', '-n', portal.namespace, 'deployment/sac-redis', '--timeout=60s')
  await write('after')
  for (const user of [here, there]) for (const name of ['before', 'without', 'after']) expect(await user.read(agentId, `${name}.txt`)).toBe(`${name}-is-here\n`)
  terminal.socket.close()
})

test('a replica is killed while people type: their terminals are back within 5 s with every letter that they saw; the other one never fails', async () => {
  const [here] = await users()
  await using visitor = await Visitor.enter(portal, here, [idOf(0), idOf(1)])
  const [first = '', second = ''] = await portal.replicas()
  // Each terminal is at one of the two: both of them are lost once at least.
  for (const replica of [first, second]) {
    await killReplica(replica)
    await until(async () => (await portal.replicas()).length === 2, { timeoutMs: 60_000, intervalMs: 300, what: 'two replicas' })
  }
  await visitor.until(({ terminals }) => terminals.every(({ isOpen, gapsMs, echoed }) => isOpen && gapsMs.length > 0 && echoed.length > 7), 30_000, 'terminals in use')
  const answered = (await visitor.tell()).answers['200'] ?? 0
  const visit = await visitor.until(({ answers }) => (answers['200'] ?? 0) > answered + 20, 30_000, 'answers as before')
  const { answers, terminals } = visit
  tell('two killed replicas', visit)
  expect(terminals.flatMap(({ gapsMs }) => gapsMs).length).toBeGreaterThan(0)
  expect(terminals.flatMap(({ gapsMs }) => gapsMs).filter((ms) => ms > BACK_MS)).toEqual([])
  expect(Object.keys(answers).filter((what) => /^[45]/.test(what))).toEqual([])
  await everyEchoedWordIsThere(visit)
})

test('the replica that reconciles is killed together with an agent’s pod: the other one takes over, the agent heals, the others stay', async () => {
  const leader = await until(reconciling, { timeoutMs: 30_000, intervalMs: 300, what: 'a replica that reconciles' })
  const other = (await portal.replicas()).find((name) => name !== leader) ?? ''
  const staying = (await users())[0].at(await portal.url(other))
  const kept = staying.terminal(idOf(1))
  await kept.shows('❯')
  const { stream } = kept.status ?? {}
  await Promise.all([killReplica(leader), kubectl('delete', 'pod', '-n', portal.agents, '--grace-period=0', '--force', `claude-code-${staying.id}-${agents[0]}-0`)])
  await staying.becomes(idOf(0), 'creating', 30_000)
  await staying.becomes(idOf(0), 'running')
  expect(await reconciling()).toBe(other)
  const healed = staying.terminal(idOf(0))
  await healed.shows('❯', 60_000)
  for (const name of ['before', 'without', 'after']) expect(await staying.read(agents[0] ?? 0, `${name}.txt`)).toBe(`${name}-is-here\n`)
  expect(await staying.session(idOf(1))).toMatchObject({ status: 'running', reason: null, warning: null })
  expect({ closed: kept.closed, stream: kept.status?.stream }).toEqual({ closed: undefined, stream })
  for (const terminal of [kept, healed]) terminal.socket.close()
})

test('all replicas are replaced under load: no request fails, terminals are back within 5 s each, agents stay', async () => {
  const [here] = await users()
  const before = await portal.replicas()
  const starts = (user: PortalUser) => Promise.all(sessions.map(async ({ session_id }) => (await user.session(session_id)).started_at))
  const started = await starts(here)
  await using visitor = await Visitor.enter(portal, here, [idOf(0), idOf(1)])
  await portal.upgrade('--set', 'log.level=debug')
  await until(async () => (await portal.replicas()).every((name) => !before.includes(name)), { timeoutMs: 60_000, intervalMs: 300, what: 'new replicas only' })
  await visitor.until(({ terminals }) => terminals.every(({ isOpen, gapsMs }) => isOpen && gapsMs.length > 0), 60_000, 'terminals at new replicas')
  const answered = (await visitor.tell()).answers['200'] ?? 0
  const visit = await visitor.until(({ answers }) => (answers['200'] ?? 0) > answered + 100, 30_000, 'answers as before')
  tell('a rolling update', visit)
  expect(Object.keys(visit.answers)).toEqual(['200'])
  expect(visit.terminals.flatMap(({ gapsMs }) => gapsMs).filter((ms) => ms > BACK_MS)).toEqual([])
  await everyEchoedWordIsThere(visit)
  const [user] = await users()
  expect(await starts(user)).toEqual(started)
})
