// What an admin is shown of a sandbox on a real cluster: use from its metrics, image, node and events, and why a start waits.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { coresOf } from '../../src/lib/quantities.ts'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import type { ApiObject } from '../../src/runtime/kubernetes/client.ts'
import type { StartProgress } from '../../src/runtime/runtime.ts'
import { specOf, TestNamespace } from './cluster.ts'
import { given } from './given.ts'

setDefaultTimeout(180_000)
let namespace: TestNamespace
let runtime: KubernetesRuntime
beforeAll(async () => {
  namespace = await TestNamespace.make('k8s-usage')
  runtime = namespace.runtime()
})

afterAll(() => runtime[Symbol.asyncDispose]())

test('CPU and memory come from the cluster’s metrics; image, node and events from its view; nothing of the environment is in them', async () => {
  const spec = specOf(1)
  await runtime.start(spec, () => {}, AbortSignal.timeout(120_000))
  // Nobody has looked at its terminal yet: the CLI is not begun, and what is measured is small.
  const used = await until(() => runtime.usage(spec), {
    timeoutMs: 120_000,
    intervalMs: 500,
    what: 'a measurement, which comes from metrics.k8s.io (metrics-server): this cluster must have it',
  })
  expect(used.memoryBytes).toBeGreaterThan(0)
  expect(runtime.metrics()).toEqual({ kind: 'here' })
  expect(used.memoryPercent).toBe(Math.round((used.memoryBytes / 1024 ** 3) * 100))
  const details = runtime.inspect(spec)
  expect(details).toMatchObject({ image: given('AGENT_IMAGE'), restarts: 0 })
  expect(details.node).toBeString()
  expect(details.events.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Scheduled', 'Started']))
  expect(details.events.map(({ at }) => at.getTime())).toEqual(details.events.map(({ at }) => at.getTime()).toSorted((one, other) => other - one))
  for (const secret of [...Object.values(spec.environment), spec.sandboxToken]) expect(JSON.stringify(details)).not.toContain(secret)
  await runtime.stop(spec)
})

test('a start that waits hands on the scheduler’s own words beside those for its user', async () => {
  const told: StartProgress[] = []
  const nodes = await namespace.client.list<ApiObject & { status: { allocatable: { cpu: string } } }>('/api/v1/nodes')
  const tooMuch = Math.floor(Math.max(...nodes.items.map(({ status }) => coresOf(status.allocatable.cpu)))) + 1
  const starting = runtime
    .start(
      specOf(2, 1, { resources: { cpuLimit: tooMuch, memoryLimitBytes: 1024 ** 3, pidsLimit: 64 }, choices: { cpuRequest: String(tooMuch) } }),
      (news) => told.push(news),
      AbortSignal.timeout(20_000),
    )
    .catch((error: unknown) => error)
  const waiting = await until(() => told.find(({ evidence }) => evidence !== undefined), { timeoutMs: 20_000, what: 'the evidence' })
  expect(waiting).toMatchObject({ step: 'scheduling', detail: expect.stringMatching(/^No node of the cluster has enough free CPU/) as unknown as string })
  expect(waiting.evidence).toMatch(/Insufficient cpu/)
  await starting
})
