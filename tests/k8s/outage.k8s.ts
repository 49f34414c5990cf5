// The cluster's API is away for a while: what runs goes on, what is asked for waits, and what happened meanwhile is seen.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import type { ApiObject } from '../../src/runtime/kubernetes/client.ts'
import { keyOfName, podHost, type SandboxKey } from '../../src/runtime/names.ts'
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
  // The cluster's DNS is not to be had from everywhere outside; this is what it is made from, and it is not away.
  const resolve = async (host: string) => {
    const { items } = await space.client.list<ApiObject & { endpoints?: { addresses: string[]; hostname?: string }[] }>(
      `/apis/discovery.k8s.io/v1/namespaces/${space.name}/endpointslices`,
    )
    return items.flatMap(({ endpoints }) => endpoints ?? []).flatMap(({ addresses, hostname }) => (host === podHost(keyOf(hostname), space.name, 'cluster.local') ? addresses : []))
  }
  runtime = space.runtime({}, { access: detour.through, terminals: 'direct', resolve })
  await runtime.start(specOf(1), () => {}, AbortSignal.timeout(START_MS))
})
afterAll(async () => {
  await runtime[Symbol.asyncDispose]()
  detour.close()
})

function keyOf(podName = ''): SandboxKey {
  return keyOfName(podName) ?? { userId: 0, agentId: 0 }
}

async function addressOf(key: SandboxKey): Promise<string | undefined> {
  const address = await runtime.terminal(key).catch(() => undefined)
  return address?.kind === 'ttyd' ? address.url : undefined
}

async function ipOf(key: SandboxKey): Promise<string | undefined> {
  return ((await space.pod(key)) as { status?: { podIP?: string } } | undefined)?.status?.podIP
}

test('nothing is taken for lost while the API is away; terminals are found by name all the time', async () => {
  const before = await runtime.terminal(specOf(1))
  const told: string[] = []
  const off = runtime.watch(({ agentId, phase }) => told.push(`${agentId} ${phase}`))
  detour.close()
  expect(await runtime.terminal(specOf(1))).toEqual(before)
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
  await until(async () => (await addressOf(specOf(1))) === `ws://${await ipOf(specOf(1))}:7681/ws`, { timeoutMs: 60_000, what: 'the terminal of the new pod' })
  detour.open()
  await started
  await runtime.follow(specOf(1), () => {}, AbortSignal.timeout(START_MS))
  expect((await space.pod(specOf(1)))?.metadata.uid).not.toBe(before ?? '')
  expect(await addressOf(specOf(1))).toBe(`ws://${await ipOf(specOf(1))}:7681/ws`)
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
