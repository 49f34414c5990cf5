// CPU and memory from the cluster's metrics: one call for everybody, nobody waits for it, and why there is none is told apart.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import { ClusterUsage } from '../../src/runtime/kubernetes/usage.ts'
import { labelsOf } from '../../src/runtime/names.ts'
import { ScriptedApi } from './scripted-api.ts'

setDefaultTimeout(20_000)
const METRICS = PATHS.podMetrics('agents')
const LIMITS = { cpuLimit: 2, memoryLimitBytes: 4 * 1024 ** 3 }
const disposing: Disposable[] = []
afterEach(() => {
  for (const thing of disposing.splice(0)) thing[Symbol.dispose]()
})

function meter() {
  const api = new ScriptedApi()
  disposing.push(api)
  return { api, usage: new ClusterUsage({ client: new KubeClient(api.access), namespace: 'agents', installation: 'i', logger: silentLogger }) }
}

function measured(agentId: number, cpu: string, memory: string) {
  const containers = [
    { name: 'output-watcher', usage: { cpu: '900m', memory: '3Gi' } },
    { name: 'claude-code', usage: { cpu, memory } },
  ]
  return { metadata: { name: `claude-code-1-${agentId}-0`, labels: labelsOf({ userId: 1, agentId }, 'i') }, containers }
}

test('one list serves all agents, however many and however often they are asked for; the sidecar does not count', async () => {
  const { api, usage } = meter()
  for (let agentId = 1; agentId <= 90; agentId++) api.put(METRICS, measured(agentId, '1500m', '3891Mi'))
  api.put(METRICS, measured(91, '2400m', '128974848'))
  // Nobody waits: the first answer is that nothing is known yet.
  expect(usage.of({ userId: 1, agentId: 1 }, LIMITS)).toBeUndefined()
  expect(usage.metrics).toEqual({ kind: 'pending' })
  await until(() => usage.metrics.kind === 'here', { what: 'the metrics' })
  for (let round = 0; round < 20; round++)
    for (let agentId = 1; agentId <= 90; agentId++) expect(usage.of({ userId: 1, agentId }, LIMITS)).toEqual({ cpuPercent: 75, memoryBytes: 3891 * 1024 ** 2, memoryPercent: 95 })
  // More than its limit, for a moment: the bar is full and no fuller.
  expect(usage.of({ userId: 1, agentId: 91 }, LIMITS)).toEqual({ cpuPercent: 100, memoryBytes: 128_974_848, memoryPercent: 3 })
  // One that is not measured yet, and one of somebody else.
  expect(usage.of({ userId: 1, agentId: 92 }, LIMITS)).toBeUndefined()
  expect(usage.of({ userId: 2, agentId: 1 }, LIMITS)).toBeUndefined()
  expect(api.lists).toEqual([METRICS])
})

test.each([
  ['not there', 404, 'NotFound', 'missing'],
  ['not allowed', 403, 'Forbidden', 'forbidden'],
  ['refused to whom it does not know', 401, 'Unauthorized', 'forbidden'],
  ['away behind the API', 503, 'ServiceUnavailable', 'unreachable'],
  ['broken', 500, 'InternalError', 'unreachable'],
] as const)('metrics that are %s are told from all others, with the cluster’s own words, and are not asked for again at once', async (_name, status, reason, kind) => {
  const { api, usage } = meter()
  api.refusals.push({ status, reason, when: 'list' })
  expect(usage.of({ userId: 1, agentId: 1 }, LIMITS)).toBeUndefined()
  await until(() => usage.metrics.kind !== 'pending', { what: 'an answer' })
  expect(usage.metrics).toEqual({ kind, evidence: 'scripted' })
  for (let round = 0; round < 50; round++) usage.of({ userId: 1, agentId: 1 }, LIMITS)
  // The refused call, and no other.
  expect(api.lists).toEqual([])
})

test('metrics that never answer hold nobody up, and nobody asks a second time meanwhile', async () => {
  let asked = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => {
      asked++
      return new Promise<Response>(() => {})
    },
  })
  const client = new KubeClient({ server: server.url.origin, credentials: async () => ({ tls: {}, headers: {} }) })
  const usage = new ClusterUsage({ client, namespace: 'agents', installation: 'i', logger: silentLogger })
  for (let round = 0; round < 100; round++) expect(usage.of({ userId: 1, agentId: round + 1 }, LIMITS)).toBeUndefined()
  await until(() => asked > 0, { what: 'the call' })
  for (let round = 0; round < 100; round++) usage.of({ userId: 1, agentId: round + 1 }, LIMITS)
  expect(usage.metrics).toEqual({ kind: 'pending' })
  expect(asked).toBe(1)
  server.stop(true)
  await until(() => usage.metrics.kind === 'unreachable', { what: 'the end of the call' })
})
