// The view of a cluster when its API breaks: nothing is missed, nothing is made up, and it stays small.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { SandboxCache } from '../../src/runtime/kubernetes/cache.ts'
import { KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import { whyEnded } from '../../src/runtime/kubernetes/diagnosis.ts'
import { RecentEvents } from '../../src/runtime/kubernetes/events.ts'
import { stateOf } from '../../src/runtime/kubernetes/observed.ts'
import { ScriptedApi } from './scripted-api.ts'

setDefaultTimeout(30_000)
const NAMESPACE = 'agents'
const SETS = PATHS.statefulSets(NAMESPACE)
const PODS = PATHS.pods(NAMESPACE)
const EVENTS = PATHS.events(NAMESPACE)
const KEY = { userId: 1, agentId: 7 }

const labels = { app: 'claude-code', 'app.kubernetes.io/managed-by': 'sac', 'sac.dev/installation': 'i' }
const annotations = (generation: number) => ({ 'sac.dev/generation': String(generation), 'sac.dev/credential-key': 'k' })
function set(agentId: number, generation = 1, replicas = 1) {
  const limits = { cpu: '2', memory: '4Gi' }
  return {
    metadata: { name: `claude-code-1-${agentId}`, uid: `set-${agentId}`, labels, annotations: annotations(generation) },
    spec: { replicas, volumeClaimTemplates: [{}], template: { spec: { containers: [{ name: 'claude-code', resources: { limits } }] } } },
  }
}
function pod(agentId: number, generation = 1, status: Record<string, unknown> = running()) {
  return { metadata: { name: `claude-code-1-${agentId}-0`, uid: `pod-${agentId}-${generation}`, labels, annotations: annotations(generation) }, status }
}
function running() {
  const containerStatuses = ['claude-code', 'output-watcher'].map((name) => ({ name, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }))
  return { phase: 'Running', podIP: '10.0.0.7', conditions: [{ type: 'PodScheduled', status: 'True' }], containerStatuses }
}

const disposing: Disposable[] = []
afterEach(() => {
  for (const thing of disposing.splice(0).reverse()) thing[Symbol.dispose]()
})
function view() {
  const api = new ScriptedApi()
  const cache = new SandboxCache({ client: new KubeClient(api.access), namespace: NAMESPACE, installation: 'i', logger: silentLogger })
  disposing.push(api, cache)
  return { api, cache, phase: () => stateOf(cache.record(KEY)).phase }
}

describe('what the view shows', () => {
  test('is what was there, then what changes; one list and one watch of each collection', async () => {
    const { api, cache, phase } = view()
    api.put(SETS, set(7))
    await cache.ready()
    await until(() => api.watching === 3, { what: 'the watches' })
    expect(phase()).toBe('starting')
    api.put(PODS, pod(7))
    await until(() => phase() === 'ready', { what: 'the pod' })
    api.put(SETS, set(7, 1, 0))
    await until(() => phase() === 'absent', { what: 'the stop' })
    expect(api.lists.sort()).toEqual([EVENTS, PODS, SETS].sort())
  })

  test('survives watches that end, that break in a line, and an API that refuses for a while', async () => {
    const { api, cache, phase } = view()
    api.put(SETS, set(7))
    await cache.ready()
    for (const how of ['end', 'cut', 'cut'] as const) {
      await until(() => api.watching === 3, { timeoutMs: 10_000, what: 'the watches' })
      api.refusals.push({ status: 500, reason: 'InternalError', when: 'watch' }, { status: 503, reason: '', when: 'list' })
      api.breakWatches(how)
    }
    api.put(PODS, pod(7))
    await until(() => phase() === 'ready', { timeoutMs: 20_000, what: 'the pod' })
    await until(() => cache.staleMs === 0, { timeoutMs: 10_000, what: 'a live view' })
  })

  test('a version that the API has forgotten leads to a fresh list, in which what went meanwhile is missing', async () => {
    const { api, cache, phase } = view()
    api.put(SETS, set(7))
    api.put(PODS, pod(7))
    await cache.ready()
    await until(() => api.watching === 3 && phase() === 'ready', { what: 'the watches' })
    const heard: string[] = []
    cache.onChange(({ agentId }) => heard.push(`${agentId} ${phase()}`))
    api.dropSilently(SETS, 'claude-code-1-7')
    api.dropSilently(PODS, 'claude-code-1-7-0')
    api.expire()
    await until(() => phase() === 'absent', { timeoutMs: 10_000, what: 'the fresh list' })
    expect(heard).toContain('7 absent')
  })

  test('goes on from the newest version that it heard of, bookmarks too', async () => {
    const { api, cache } = view()
    await cache.ready()
    await until(() => api.watching === 3, { what: 'the watches' })
    api.bookmark(PODS)
    api.put(PODS, pod(7))
    api.bookmark(PODS)
    const before = api.watchedFrom.length
    await until(() => cache.record(KEY).pod !== undefined, { what: 'the pod' })
    api.breakWatches('end')
    await until(() => api.watchedFrom.length >= before + 3, { timeoutMs: 10_000, what: 'new watches' })
    expect(api.watchedFrom.slice(before)).toContain('4')
    expect(api.lists).toHaveLength(3)
  })

  test('waiters are told at once, and end with their signal', async () => {
    const { api, cache } = view()
    await cache.ready()
    const ready = cache.until(KEY, (record) => (stateOf(record).phase === 'ready' ? 'up' : undefined), AbortSignal.timeout(10_000))
    api.put(SETS, set(7))
    api.put(PODS, pod(7))
    expect(await ready).toBe('up')
    const abort = new AbortController()
    const never = cache.until({ userId: 1, agentId: 8 }, () => undefined, abort.signal)
    abort.abort(new Error('enough'))
    await expect(never).rejects.toThrow('enough')
  })

  test('a hundred events of one agent and those of strangers do not pile up', async () => {
    const { api, cache } = view()
    await cache.ready()
    for (let at = 0; at < 100; at++) {
      const involvedObject = { kind: 'Pod', name: at % 2 ? 'claude-code-1-7-0' : `something-else-${at}`, uid: 'x' }
      api.put(EVENTS, {
        metadata: { name: `event-${at}`, uid: `event-${at}` },
        involvedObject,
        type: 'Warning',
        reason: 'Odd',
        message: `number ${at}`,
        lastTimestamp: new Date(at * 1000).toISOString(),
      })
    }
    await until(() => cache.record(KEY).events.at(-1)?.message === 'number 99', { what: 'the last event' })
    expect(cache.record(KEY).events.length).toBeLessThanOrEqual(12)
    expect(cache.records()).toEqual([])
  })

  test('an event that the cluster has dropped is over, and words about it with it', async () => {
    const { api, cache } = view()
    api.put(SETS, set(7))
    await cache.ready()
    const involvedObject = { kind: 'Pod', name: 'claude-code-1-7-0', uid: 'old-pod' }
    for (const uid of ['a', 'b'])
      api.put(EVENTS, { metadata: { name: uid, uid }, involvedObject, type: 'Warning', reason: 'Evicted', message: uid, lastTimestamp: new Date().toISOString() })
    await until(() => whyEnded(cache.record(KEY)).includes('ran out of room'), { what: 'the eviction' })
    api.drop(EVENTS, 'a')
    await until(() => cache.record(KEY).events.length === 1, { what: 'the end of one' })
    api.drop(EVENTS, 'b')
    await until(() => cache.record(KEY).events.length === 0, { what: 'the end of the other' })
    expect(whyEnded(cache.record(KEY))).toBe('The sandbox’s pod was deleted.')
  })

  test('an event is told about for an hour, however often the view is taken up again', () => {
    let now = 0
    const events = new RecentEvents(() => now)
    const raw = (uid: string, name = 'claude-code-1-7') => ({ metadata: { name: uid, uid }, involvedObject: { name }, lastTimestamp: '2026-01-01T00:00:00Z' })
    events.put(raw('a'))
    now = 30 * 60_000
    events.replace([raw('a'), raw('b')])
    expect(events.of('claude-code-1-7').map(({ uid }) => uid)).toEqual(['a', 'b'])
    now = 61 * 60_000
    expect(events.of('claude-code-1-7').map(({ uid }) => uid)).toEqual(['b'])
    now = 120 * 60_000
    events.put(raw('c', 'claude-code-1-8'))
    expect([events.of('claude-code-1-7'), (events as unknown as { kept: Map<string, unknown> }).kept.size]).toEqual([[], 1])
  })

  test('2 000 agents come in pages', async () => {
    const { api, cache } = view()
    for (let agentId = 1; agentId <= 2000; agentId++) api.put(SETS, set(agentId, 1, 0))
    await cache.ready()
    expect(cache.records()).toHaveLength(2000)
    expect(api.lists.filter((path) => path === SETS)).toHaveLength(20)
  })
})
