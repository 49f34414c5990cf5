// Where a terminal is dialled in a cluster: by the stable name, never at an address that the name has lost.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { type Logger, silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import { PATHS } from '../../src/runtime/kubernetes/client.ts'
import { TerminalCredentials } from '../../src/runtime/kubernetes/credentials.ts'
import { labelsOf } from '../../src/runtime/names.ts'
import { ScriptedApi } from './scripted-api.ts'
import { NAMESPACE } from './scripted-controller.ts'
import { scriptedRuntime } from './scripted-runtime.ts'

setDefaultTimeout(30_000)
const KEY = { userId: 1, agentId: 7 }
const POD = 'claude-code-1-7-0.claude-code-1-7.agents.svc.example.internal'
const SERVICE = 'claude-code-1-7.agents.svc.example.internal'
const LABELS = labelsOf(KEY, 'i')
const SECRET_KEYS = ['0123456789abcdef'.repeat(4)]

const disposing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of disposing.splice(0).reverse()) await end()
})

class Cluster {
  readonly api = new ScriptedApi()
  readonly asked: string[] = []
  readonly names = new Map<string, string[]>()
  readonly runtime: KubernetesRuntime
  /** What was logged as a warning. */
  readonly warnings: string[] = []

  constructor() {
    const resolve = async (host: string) => {
      this.asked.push(host)
      const found = this.names.get(host)
      if (!found) throw new Error('ENOTFOUND')
      return found
    }
    const logger = { ...silentLogger, warn: (message: string) => void this.warnings.push(message) } as Logger
    this.runtime = scriptedRuntime(this.api, { clusterDomain: 'example.internal', resolve, secretKeys: SECRET_KEYS, logger })
    disposing.push(
      () => this.api[Symbol.dispose](),
      () => this.runtime[Symbol.asyncDispose](),
    )
  }

  async run(ip: string, generation = 3): Promise<void> {
    const annotations = { 'sac.dev/generation': String(generation), 'sac.dev/credential-key': new TerminalCredentials(SECRET_KEYS).current }
    const limits = { cpu: '1', memory: '1Gi' }
    this.api.put(PATHS.statefulSets(NAMESPACE), {
      metadata: { name: 'claude-code-1-7', uid: 'set', labels: LABELS, annotations },
      spec: { replicas: 1, volumeClaimTemplates: [{}], template: { spec: { containers: [{ name: 'claude-code', resources: { limits } }] } } },
    })
    const containerStatuses = ['claude-code', 'output-watcher'].map((name) => ({ name, state: { running: {} } }))
    this.api.put(PATHS.pods(NAMESPACE), {
      metadata: { name: 'claude-code-1-7-0', uid: `pod-${ip}`, labels: LABELS, annotations },
      status: { phase: 'Running', podIP: ip, conditions: [{ type: 'PodScheduled', status: 'True' }], containerStatuses },
    })
    await until(async () => (await this.runtime.state(KEY)).phase === 'ready', { what: 'the pod in view' })
  }

  async url(): Promise<string> {
    const address = await this.runtime.terminal(KEY)
    return address.kind === 'ttyd' ? address.url : ''
  }
}

test('the pod’s name is asked for at each dial, with the cluster’s own domain, and only while the pod is up', async () => {
  const cluster = new Cluster()
  await expect(cluster.url()).rejects.toThrow('does not run')
  expect(cluster.asked).toEqual([])
  cluster.names.set(POD, ['10.0.0.7'])
  await cluster.run('10.0.0.7')
  expect(await cluster.url()).toBe('ws://10.0.0.7:7681/ws')
  expect(await cluster.url()).toBe('ws://10.0.0.7:7681/ws')
  expect(cluster.asked).toEqual([POD, POD])
})

test('an answer that the pod has lost is not dialled: it is asked again until name and pod agree', async () => {
  const cluster = new Cluster()
  cluster.names.set(POD, ['10.0.0.7'])
  await cluster.run('10.0.0.8')
  const url = cluster.url()
  await until(() => cluster.asked.length > 2, { what: 'more questions' })
  cluster.names.set(POD, ['10.0.0.8'])
  expect(await url).toBe('ws://10.0.0.8:7681/ws')
})

test('an answer that a cache holds for long delays nobody: the API says where the pod is at this moment', async () => {
  const cluster = new Cluster()
  for (const name of [POD, SERVICE]) cluster.names.set(name, ['10.0.0.7'])
  await cluster.run('10.0.0.8')
  expect(cluster.api.singles).toEqual([])
  expect(await cluster.url()).toBe('ws://10.0.0.8:7681/ws')
  expect(cluster.api.singles.length).toBe(1)
})

test('a Role that does not let the server look is named in the log, once', async () => {
  const cluster = new Cluster()
  for (const name of [POD, SERVICE]) cluster.names.set(name, ['10.0.0.7'])
  await cluster.run('10.0.0.8')
  cluster.api.refusals.push(...Array.from({ length: 99 }, () => ({ status: 403, reason: 'Forbidden', when: 'single' as const })))
  await expect(cluster.url()).rejects.toThrow('DNS does not know')
  expect(cluster.api.singles.length).toBeGreaterThan(1)
  expect(cluster.warnings.filter((words) => words.includes('get'))).toEqual([expect.stringContaining('pods')])
})

test('where a cache holds the pod’s name for unknown, the name of its Service leads to it; of its addresses the pod’s own counts', async () => {
  const cluster = new Cluster()
  cluster.names.set(SERVICE, ['10.0.0.7', '10.0.0.9'])
  await cluster.run('10.0.0.9')
  expect(await cluster.url()).toBe('ws://10.0.0.9:7681/ws')
  expect(cluster.asked.at(-1)).toBe(SERVICE)
})

test('an IPv6 pod is dialled by an address that URLs take', async () => {
  const cluster = new Cluster()
  cluster.names.set(POD, ['fd00::7'])
  await cluster.run('fd00::7')
  expect(await cluster.url()).toBe('ws://[fd00::7]:7681/ws')
})

test('a name that stays unknown is an error with a next step, and a pod that goes meanwhile is not waited for', async () => {
  const cluster = new Cluster()
  await cluster.run('10.0.0.7')
  await expect(cluster.url()).rejects.toThrow('CLUSTER_DOMAIN')
  const waiting = cluster.url()
  await until(() => cluster.asked.length > 2, { what: 'questions' })
  cluster.api.drop(PATHS.pods(NAMESPACE), 'claude-code-1-7-0')
  await expect(waiting).rejects.toThrow('does not run')
})

test('while the cluster’s API is away the name alone leads to a pod that has moved', async () => {
  const cluster = new Cluster()
  await cluster.run('10.0.0.7')
  cluster.names.set(POD, ['10.0.0.8'])
  cluster.api[Symbol.dispose]()
  await until(async () => (await cluster.url().catch(() => '')) === 'ws://10.0.0.8:7681/ws', { timeoutMs: 20_000, what: 'the pod that has moved' })
})
