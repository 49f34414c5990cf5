// What the portal's settings choose for a sandbox, in the objects of a scripted cluster: images, volumes that grow, volumes that stay.
import { expect, test } from 'bun:test'
import { silentLogger } from '../../src/lib/logger.ts'
import { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import type { ClusterChoices } from '../../src/runtime/runtime.ts'
import { ScriptedApi, type Thing } from './scripted-api.ts'
import { CLAIMS, control, NAMESPACE, SETS } from './scripted-controller.ts'

const KEY = { userId: 1, agentId: 7 }
const CLAIM = 'data-claude-code-1-7-0'

test('a start takes the chosen image; its volume grows with the setting, never shrinks, and stays when another class is chosen', async () => {
  using api = new ScriptedApi()
  control(api, { runs: true })
  const settings = {
    installation: 'installation-a',
    namespace: NAMESPACE,
    agentImage: 'agent:1',
    sidecarImage: 'sidecar:1',
    pullPolicy: 'IfNotPresent' as const,
    pullSecrets: [],
    volume: { kind: 'pvc' as const, size: '1Gi' },
    egress: 'none' as const,
  }
  const rest = {
    terminals: 'direct' as const,
    clusterDomain: 'cluster.local',
    resolve: async () => ['127.0.0.1'],
    volumeGraceMs: 0,
    secretKeys: ['0'.repeat(64)],
    logger: silentLogger,
  }
  await using runtime = new KubernetesRuntime({ access: api.access, settings, ...rest })
  let generation = 0
  const start = async (choices: ClusterChoices) => {
    const resources = { cpuLimit: 1, memoryLimitBytes: 1024 ** 3, pidsLimit: 64 }
    const more = { environment: {}, resources, claudeMd: '', sandboxToken: 'token', internalUrl: 'http://127.0.0.1:9', theme: 'dark' as const }
    await runtime.start({ ...KEY, birth: null, generation: ++generation, choices, ...more }, () => {}, AbortSignal.timeout(10_000))
  }
  const claim = () => api.get(CLAIMS, CLAIM) as (Thing & { spec: { resources: { requests: { storage: string } } } }) | undefined
  const image = () => (api.get(SETS, 'claude-code-1-7')?.spec as { template: { spec: { containers: { image: string }[] } } } | undefined)?.template.spec.containers[0]?.image
  await start({ image: 'agent:2', storageSize: '2Gi' })
  expect([image(), claim()?.spec.resources.requests.storage]).toEqual(['agent:2', '2Gi'])
  const uid = claim()?.metadata.uid
  await start({ image: '', storageSize: '4Gi' })
  expect([image(), claim()?.spec.resources.requests.storage]).toEqual(['agent:1', '4Gi'])
  await start({ storageSize: '1Gi', storageClass: 'fast' })
  expect([claim()?.spec.resources.requests.storage, claim()?.metadata.uid]).toEqual(['4Gi', uid])
})
