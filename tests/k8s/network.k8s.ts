// What agents reach under each preset and what they do not, tried against listeners that are there; and what the portal says
// of a cluster that does not enforce its policies (here: has none).
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { knocking, runScript, scriptPod } from './knock.ts'
import { ADDRESSES, clearNode, takeAddresses } from './node.ts'
import { InstalledPortal, type PortalUser } from './portal.ts'
import { kubectl, tryKubectl, valuesFile } from './shell.ts'

setDefaultTimeout(200_000)
given('NODE_COMMAND')

const WEB = 443
const OTHER = 8443
const REPORT_MS = 90_000

let portal: InstalledPortal
let admin: PortalUser
let outside: string
let agentId: number
let sessionId: string
/** What is tried, by what it is. */
let targets: Record<string, string>

beforeAll(async () => {
  const gateway = { hosts: ['llm.corp.internal'], to: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'gateway-of-the-test' } } }], ports: [OTHER] }
  using values = valuesFile({
    server: { replicas: 1 },
    agents: { modelNetworks: [`${ADDRESSES.model}/32`], blockedNetworks: [`${ADDRESSES.blocked}/32`], modelGateways: [gateway] },
  })
  portal = await InstalledPortal.install('k8s-network', '-f', values.path)
  outside = `${portal.namespace}-outside`
  await takeAddresses()
  await kubectl('create', 'namespace', outside)
  const listen = (hosts: string[], ports: number[]) =>
    `for (const host of ${JSON.stringify(hosts)}) for (const port of ${JSON.stringify(ports)}) require('node:net').createServer((socket) => socket.end()).listen(port, host)`
  // On the node itself, where those addresses are.
  const root = { securityContext: { runAsUser: 0 }, resources: {} }
  const listeners = [
    scriptPod(outside, 'public', listen(Object.values(ADDRESSES), [WEB, OTHER]), { spec: { hostNetwork: true }, container: root }),
    scriptPod(outside, 'gateway', listen(['0.0.0.0'], [OTHER]), { labels: { app: 'gateway-of-the-test' } }),
  ]
  const made = await tryKubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: listeners }))
  if (made.code !== 0) throw new Error(made.err)
  await kubectl('wait', '-n', outside, 'pod/public', 'pod/gateway', '--for=condition=Ready', '--timeout=60s')

  const [replica = ''] = await portal.replicas()
  admin = await portal.admin(replica)
  agentId = await admin.createAgent('Watched')
  sessionId = (await admin.open(agentId)).session_id
  const services = `${portal.namespace}.svc.cluster.local`
  const ipOf = (namespace: string, pod: string) => kubectl('get', 'pod', '-n', namespace, pod, '-o', 'jsonpath={.status.podIP}')
  targets = {
    'the portal’s internal port': `sac-internal.${services}:8082`,
    'a model provider': `${ADDRESSES.model}:${WEB}`,
    'another port there': `${ADDRESSES.model}:${OTHER}`,
    'somebody on the internet': `${ADDRESSES.somebody}:${WEB}`,
    'a port on the internet that is not open': `${ADDRESSES.somebody}:${OTHER}`,
    'a blocked network': `${ADDRESSES.blocked}:${WEB}`,
    'a model of our own': `${await ipOf(outside, 'gateway')}:${OTHER}`,
    'the portal’s pages': `sac.${services}:80`,
    'the database': `sac-postgres.${services}:5432`,
    Redis: `sac-redis.${services}:6379`,
    'the API server’s Service': `${await kubectl('get', 'service', '-n', 'default', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}')}:443`,
    'the API server itself': await kubectl('get', 'endpointslice', '-n', 'default', 'kubernetes', '-o', 'jsonpath={.endpoints[0].addresses[0]}:{.ports[0].port}'),
    'the terminal of an agent': `${await ipOf(portal.agents, `claude-code-${admin.id}-${agentId}-0`)}:7681`,
  }
}, 280_000)

afterAll(async () => {
  await kubectl('delete', 'namespace', '--ignore-not-found', '--wait=false', outside)
  await clearNode()
})

/** The targets that a pod with this preset reaches; one `outside` has no policy at all. */
async function reached(name: string, egress?: 'none' | 'model' | 'internet'): Promise<string[]> {
  const addresses = Object.values(targets)
  const script = knocking(egress ? (targets['the API server’s Service'] ?? '') : '', addresses)
  const labels: Record<string, string> = egress ? { app: 'claude-code', 'sac.dev/egress': egress } : {}
  const found = JSON.parse(await runScript(egress ? portal.agents : outside, name, script, labels)) as Record<string, string>
  return Object.keys(targets).filter((what) => found[targets[what] ?? ''] === 'open')
}

/** The last report of the agent's present sandbox. */
const report = async () =>
  (await admin.ask<{ reports: { agent_id: number; network: string; reported_at: string }[] }>('GET', '/api/admin/networks')).body.reports.find((item) => item.agent_id === agentId)
const hasNotice = async () => (await admin.ask<string>('GET', '/account')).body.includes('portal-notice')

test('a sandbox proves that its network is closed, and nobody is warned', async () => {
  await until(async () => (await report())?.network === 'closed', { timeoutMs: REPORT_MS, intervalMs: 500, what: 'the proof' })
  expect((await admin.session(sessionId)).warning).toBeNull()
  expect(await hasNotice()).toBe(false)
})

test('whoever is no agent and has no policy reaches every listener that is outside: they are there', async () => {
  expect(await reached('control')).toEqual(
    expect.arrayContaining([
      'a model provider',
      'another port there',
      'somebody on the internet',
      'a port on the internet that is not open',
      'a blocked network',
      'a model of our own',
      'the API server’s Service',
      'the API server itself',
    ]),
  )
})

test('none: an agent reaches the portal’s internal port and nothing else, not another agent’s terminal either', async () => {
  expect(await reached('preset-none', 'none')).toEqual(['the portal’s internal port'])
})

test('model: it reaches model providers, too, and the models of our own', async () => {
  expect(await reached('preset-model', 'model')).toEqual(['the portal’s internal port', 'a model provider', 'a model of our own'])
})

test('internet: it reaches public addresses at the open ports, too, and none that is blocked, private or the cluster’s', async () => {
  expect(await reached('preset-internet', 'internet')).toEqual(['the portal’s internal port', 'a model provider', 'somebody on the internet', 'a model of our own'])
})

test('without policies an agent reaches everything, its page warns that nothing keeps the networks apart, and so does every page of an admin', async () => {
  await kubectl('delete', 'networkpolicy', '--all', '-n', portal.agents)
  await kubectl('delete', 'networkpolicy', '--all', '-n', portal.namespace)
  // What was closed above was closed by the policies alone.
  await until(async () => (await reached(`open-${Math.random().toString(36).slice(2, 8)}`)).length === Object.keys(targets).length, { timeoutMs: 60_000, what: 'an open cluster' })
  await admin.ask('POST', `/api/agents/${agentId}/restart`)
  await until(async () => (await report())?.network === 'open', { timeoutMs: REPORT_MS, intervalMs: 500, what: 'the report' })
  await admin.becomes(sessionId, 'running')
  expect((await admin.session(sessionId)).warning).toContain('does not enforce its network policies')
  expect(await hasNotice()).toBe(true)
})
