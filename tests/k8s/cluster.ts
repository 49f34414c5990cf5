// The cluster of KUBECONFIG for tests: a namespace of a suite's own, runtimes in it, and what kubectl would be asked.
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { type ClusterAccess, kubeconfigAccess } from '../../src/runtime/kubernetes/access.ts'
import { KubernetesRuntime, type KubernetesRuntimeOptions } from '../../src/runtime/kubernetes/adapter.ts'
import { type ApiObject, KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import type { ClusterSettings } from '../../src/runtime/manifests/settings.ts'
import { podName, type SandboxKey } from '../../src/runtime/names.ts'
import type { SandboxSpec } from '../../src/runtime/runtime.ts'
import { openUpstream } from '../../src/terminal/open.ts'
import { atEnd } from '../support/teardown.ts'
import { given } from './given.ts'

export const SECRET_KEYS = ['0123456789abcdef'.repeat(4)]

/** A namespace with the restricted security level, gone when the tests end. */
export class TestNamespace {
  private constructor(
    readonly name: string,
    readonly access: ClusterAccess,
    readonly client: KubeClient,
  ) {}

  static async make(prefix: string): Promise<TestNamespace> {
    const access = await kubeconfigAccess(given('KUBECONFIG'))
    const client = new KubeClient(access)
    const name = `${prefix}-${Math.random().toString(36).slice(2, 8)}`
    await client.apply('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } } as never)
    atEnd(async () => void (await client.remove('/api/v1/namespaces', name)))
    return new TestNamespace(name, access, client)
  }

  settings(change: Partial<ClusterSettings> = {}): ClusterSettings {
    return {
      installation: 'of-the-tests',
      namespace: this.name,
      agentImage: given('AGENT_IMAGE'),
      sidecarImage: given('SIDECAR_IMAGE'),
      pullPolicy: 'IfNotPresent',
      pullSecrets: [],
      volume: { kind: 'pvc', size: '1Gi' },
      egress: 'internet',
      ...change,
    }
  }

  runtime(change: Partial<ClusterSettings> = {}, options: Partial<KubernetesRuntimeOptions> = {}): KubernetesRuntime {
    const base = { access: this.access, terminals: 'portforward' as const, clusterDomain: 'cluster.local', volumeGraceMs: 3_600_000, secretKeys: SECRET_KEYS, logger: silentLogger }
    return new KubernetesRuntime({ ...base, settings: this.settings(change), ...options })
  }

  /** The agent's pod as the API has it. */
  async pod(key: SandboxKey): Promise<(ApiObject & { metadata: { uid: string } }) | undefined> {
    const { items } = await this.client.list<ApiObject & { metadata: { uid: string } }>(PATHS.pods(this.name))
    return items.find(({ metadata }) => metadata.name === podName(key))
  }

  /** Names of all objects of a kind. */
  async names(path: string): Promise<string[]> {
    return (await this.client.list<ApiObject>(path)).items.map(({ metadata }) => metadata.name).sort()
  }

  /** Asks the cluster to take the pod off its node, as a drain does. */
  async evict(key: SandboxKey): Promise<void> {
    const { tls, headers } = await this.access.credentials()
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: podName(key), namespace: this.name } }
    const url = `${this.access.server}${PATHS.pods(this.name)}/${podName(key)}/eviction`
    const answer = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(eviction), tls } as BunFetchRequestInit)
    if (!answer.ok) throw new Error(await answer.text())
  }

  async killPod(key: SandboxKey): Promise<void> {
    await this.client.remove(PATHS.pods(this.name), podName(key), { gracePeriodSeconds: 0 })
  }
}

/** What starts agent `agentId` of user 1. Its model's API is a port where nobody listens. */
export function specOf(agentId: number, generation = 1, change: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    userId: 1,
    agentId,
    generation,
    birth: null,
    environment: { ANTHROPIC_AUTH_TOKEN: 'not a key', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' },
    resources: { cpuLimit: 1, memoryLimitBytes: 1024 ** 3, pidsLimit: 256 },
    claudeMd: 'You are tested.',
    sandboxToken: `token-of-agent-${agentId}-${generation}`,
    internalUrl: 'http://127.0.0.1:9',
    theme: 'dark',
    ...change,
  }
}

/** A terminal on the wire of its runtime, and what it has written. */
export class OpenTerminal {
  text = ''
  lost = false

  private constructor(private upstream?: Awaited<ReturnType<typeof openUpstream>>) {}

  static async of(runtime: KubernetesRuntime, key: SandboxKey): Promise<OpenTerminal> {
    const terminal = new OpenTerminal()
    const sink = {
      data: (bytes: Uint8Array) => {
        terminal.text += new TextDecoder().decode(bytes)
      },
      taken() {},
      closed: () => {
        terminal.lost = true
      },
    }
    // The view of a runtime that did not make the start itself is some milliseconds behind.
    const dial = async () => openUpstream(await runtime.terminal(key), { columns: 120, rows: 30 }, sink, 3000)
    terminal.upstream = await until(() => dial().catch(() => undefined), { timeoutMs: 15_000, what: 'ttyd' })
    return terminal
  }

  type(text: string): void {
    this.upstream?.write(new TextEncoder().encode(text))
  }

  async shows(text: string | RegExp): Promise<void> {
    const isShown = () => (typeof text === 'string' ? this.text.includes(text) : text.test(this.text))
    await until(isShown, { timeoutMs: 30_000, what: `${text} on the terminal (it shows ${JSON.stringify(this.text.slice(-300))})` })
  }

  close(): void {
    this.upstream?.close()
  }
}
