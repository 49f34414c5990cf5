// The cluster's API is away for a while: what runs goes on, what is asked for waits, and what happened meanwhile is seen.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import { podHost } from '../../src/runtime/names.ts'
import { specOf, TestNamespace } from './cluster.ts'
import { Detour } from './detour.ts'

setDefaultTimeout(180_000)
const START_MS = 120_000

let space: TestNamespace
let detour: Detour
let runtime: KubernetesRuntime
beforeAll(async () => {
  space = await TestNamespace.make('k8s-outage')
  detour = new Detour(space.access)
  runtime = space.runtime({}, { access: detour.through, terminals: 'direct' })
  await runtime.start(specOf(1), () => {}, AbortSignal.timeout(START_MS))
})
afterAll(async () => {
  await runtime[Symbol.asyncDispose]()
  detour.close()
})

test('nothing is taken for lost while the API is away; terminals are found by name then', async () => {
  const told: string[] = []
  const off = runtime.watch(({ agentId, phase }) => told.push(`${agentId} ${phase}`))
  detour.close()
  await until(async () => JSON.stringify(await runtime.terminal(specOf(1))).includes(podHost(specOf(1), space.name)), { timeoutMs: 20_000, what: 'the stable name' })
  expect(await runtime.state(specOf(1))).toMatchObject({ phase: 'ready' })
  expect(await runtime.list()).toMatchObject([{ agentId: 1, phase: 'ready' }])
  expect(told).toEqual([])
  off()
  await expect(runtime.stop(specOf(1))).rejects.toThrow('does not answer')
})

test('a start waits for the API and goes on by itself; a pod that was lost meanwhile is seen', async () => {
  const details: string[] = []
  const started = runtime.start(specOf(2), ({ detail }) => detail && details.push(detail), AbortSignal.timeout(START_MS))
  started.catch(() => {})
  const before = (await space.pod(specOf(1)))?.metadata.uid
  await space.killPod(specOf(1))
  await until(() => details.some((detail) => detail.includes('does not answer')), { timeoutMs: 20_000, what: 'words about it' })
  detour.open()
  await started
  await runtime.follow(specOf(1), () => {}, AbortSignal.timeout(START_MS))
  expect((await space.pod(specOf(1)))?.metadata.uid).not.toBe(before ?? '')
  const address = await until(
    async () => {
      const found = await runtime.terminal(specOf(1))
      return found.kind === 'ttyd' && !found.url.includes('svc.cluster') ? found : undefined
    },
    { timeoutMs: 20_000, what: 'a live view' },
  )
  expect(address.url).toMatch(/^ws:\/\/[\d.:[\]a-f]+:7681\/ws$/)
})

test('a server that starts while the API is away says so, and works once it is back', async () => {
  detour.close()
  const late = space.runtime({}, { access: detour.through })
  await expect(late.list()).rejects.toThrow('does not answer')
  expect(await late.probe()).toMatchObject({ ok: false, reason: expect.stringContaining('does not answer') })
  detour.open()
  await until(async () => (await late.list().catch(() => [])).length === 2, { timeoutMs: 30_000, what: 'the sandboxes' })
  await late[Symbol.asyncDispose]()
})
