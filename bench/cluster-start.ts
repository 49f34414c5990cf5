// From a click to the CLI's first bytes in a pod, and from sleep: how long it takes, and how much of that is ours. On the
// cluster of KUBECONFIG, with SIDECAR_IMAGE and AGENT_IMAGE on its node. Pods must be reachable from here, else by the API.
import { silentLogger } from '../src/lib/logger.ts'
import { until } from '../src/lib/until.ts'
import { kubeconfigAccess } from '../src/runtime/kubernetes/access.ts'
import { KubernetesRuntime } from '../src/runtime/kubernetes/adapter.ts'
import { type ApiObject, KubeClient, PATHS } from '../src/runtime/kubernetes/client.ts'
import { resolveBy } from '../src/runtime/kubernetes/pod-address.ts'
import type { SandboxSpec } from '../src/runtime/runtime.ts'
import { openUpstream } from '../src/terminal/open.ts'
import { limits, quantile, table } from './support/report.ts'

const ROUNDS = 6
const LIMIT_MS = 120_000
/** Above this the bench says what was waited for. */
const SLOW_MS = 5000
const SIZE = { columns: 120, rows: 30 }
const { KUBECONFIG, SIDECAR_IMAGE, AGENT_IMAGE, K8S_TERMINALS } = process.env

interface Lap {
  promptMs: number
  ownMs: number
}

if (!KUBECONFIG || !SIDECAR_IMAGE || !AGENT_IMAGE) {
  process.stdout.write('Not measured: set KUBECONFIG to a cluster, and SIDECAR_IMAGE and AGENT_IMAGE to images that its nodes have.\n')
} else await measure(KUBECONFIG, SIDECAR_IMAGE, AGENT_IMAGE)

async function measure(kubeconfig: string, sidecarImage: string, agentImage: string): Promise<void> {
  const access = await kubeconfigAccess(kubeconfig)
  const client = new KubeClient(access)
  const namespace = `bench-${Math.random().toString(36).slice(2, 8)}`
  await client.apply('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } as never)
  const { spec } = await client.get<ApiObject & { spec: { clusterIP: string } }>(`${PATHS.services('kube-system')}/kube-dns`)
  const runtime = new KubernetesRuntime({
    access,
    settings: { installation: 'bench', namespace, agentImage, sidecarImage, pullPolicy: 'IfNotPresent', pullSecrets: [], volume: { kind: 'pvc', size: '1Gi' }, egress: 'internet' },
    terminals: K8S_TERMINALS === 'portforward' ? 'portforward' : 'direct',
    clusterDomain: 'cluster.local',
    // The cluster's own DNS with its caches, as the portal's pods ask it.
    resolve: resolveBy([spec.clusterIP]),
    volumeGraceMs: 0,
    secretKeys: ['0'.repeat(64)],
    logger: silentLogger,
  })
  try {
    const first: Lap[] = []
    const wakes: Lap[] = []
    for (let agentId = 1; agentId <= ROUNDS; agentId++) {
      first.push(await lap(runtime, specOf(agentId, 1)))
      await runtime.stop(specOf(agentId, 1))
      await until(async () => (await runtime.state(specOf(agentId, 1))).phase === 'absent', { timeoutMs: LIMIT_MS, what: 'the stop' })
      // Not the end of the pod before it is measured.
      await Bun.sleep(4000)
      wakes.push(await lap(runtime, specOf(agentId, 2)))
      await runtime.remove(specOf(agentId))
    }
    const row = (name: string, laps: Lap[]) => [
      name,
      ...[0.5, 1]
        .flatMap((share) => [
          quantile(
            laps.map(({ promptMs }) => promptMs),
            share,
          ),
          quantile(
            laps.map(({ ownMs }) => ownMs),
            share,
          ),
        ])
        .map((ms) => `${ms.toFixed(0)} ms`),
    ]
    table(`${ROUNDS} starts and wakes, image on the node`, [['', 'to the prompt', 'of it ours', 'worst', 'of it ours'], row('new agent', first), row('asleep', wakes)])
    limits([
      {
        what: 'click to prompt, worst',
        value:
          quantile(
            first.map(({ promptMs }) => promptMs),
            1,
          ) / 1000,
        unit: 's',
        atMost: 8,
      },
      {
        what: 'wake to prompt, worst',
        value:
          quantile(
            wakes.map(({ promptMs }) => promptMs),
            1,
          ) / 1000,
        unit: 's',
        atMost: 8,
      },
      {
        what: 'our part, worst of all',
        value: quantile(
          [...first, ...wakes].map(({ ownMs }) => ownMs),
          1,
        ),
        unit: 'ms',
        atMost: 500,
      },
    ])
  } finally {
    await runtime[Symbol.asyncDispose]()
    await client.remove('/api/v1/namespaces', namespace)
  }
}

/** Ours is what passes before the cluster has the StatefulSet, and from its word that the CLI's container runs to an open terminal. */
async function lap(runtime: KubernetesRuntime, spec: SandboxSpec): Promise<Lap> {
  const began = performance.now()
  let appliedMs: number | undefined
  let upMs: number | undefined
  const off = runtime.watch(({ agentId, generation, phase }) => {
    if (agentId !== spec.agentId || generation !== spec.generation) return
    appliedMs ??= performance.now() - began
    if (phase === 'ready') upMs ??= performance.now() - began
  })
  const told: string[] = []
  await runtime.start(spec, ({ step, detail = '' }) => told.push(`${((performance.now() - began) / 1000).toFixed(1)} s ${step} ${detail}`), AbortSignal.timeout(LIMIT_MS))
  let text = ''
  const sink = {
    data(bytes: Uint8Array) {
      text += new TextDecoder().decode(bytes)
    },
    taken() {},
    closed() {},
  }
  const dial = async () => openUpstream(await runtime.terminal(spec), SIZE, sink, 3000)
  const upstream = await until(() => dial().catch(() => undefined), { timeoutMs: LIMIT_MS, intervalMs: 5, what: 'the terminal' })
  const openMs = performance.now() - began
  off()
  await until(() => text.includes('❯'), { timeoutMs: LIMIT_MS, intervalMs: 5, what: 'the prompt' })
  const promptMs = performance.now() - began
  upstream.close()
  if (promptMs > SLOW_MS) process.stdout.write(`a slow start: ${told.join('; ')}; prompt ${(promptMs / 1000).toFixed(1)} s\n`)
  return { promptMs, ownMs: (appliedMs ?? Number.NaN) + openMs - (upMs ?? Number.NaN) }
}

function specOf(agentId: number, generation = 1): SandboxSpec {
  return {
    userId: 1,
    agentId,
    generation,
    birth: null,
    environment: { ANTHROPIC_AUTH_TOKEN: 'not a key', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' },
    resources: { cpuLimit: 2, memoryLimitBytes: 2 * 1024 ** 3, pidsLimit: 512 },
    claudeMd: '',
    sandboxToken: 'token-of-the-bench',
    internalUrl: 'http://127.0.0.1:9',
    theme: 'dark',
  }
}
