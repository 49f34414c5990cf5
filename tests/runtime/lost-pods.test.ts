// Pods are taken from nodes by force only where nothing of them can run any more with a token that is good.
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { SandboxCache } from '../../src/runtime/kubernetes/cache.ts'
import { KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import { LostPods } from '../../src/runtime/kubernetes/lost-pods.ts'
import { stateOf } from '../../src/runtime/kubernetes/observed.ts'
import { labelsOf } from '../../src/runtime/names.ts'
import { ScriptedApi } from './scripted-api.ts'
import { NAMESPACE, PODS, running, SETS } from './scripted-controller.ts'

setDefaultTimeout(30_000)
const KEY = { userId: 1, agentId: 7 }
const NAME = 'claude-code-1-7'
const labels = labelsOf(KEY, 'i')
const GRACE_S = 15
const ENOUGH_MS = 76_000

let api: ScriptedApi
let cache: SandboxCache
let lost: LostPods
let clock: number
beforeEach(async () => {
  api = new ScriptedApi()
  clock = 0
  const client = new KubeClient(api.access)
  cache = new SandboxCache({ client, namespace: NAMESPACE, installation: 'i', logger: silentLogger })
  lost = new LostPods({ client, cache, namespace: NAMESPACE, logger: silentLogger, now: () => clock })
  await cache.ready()
  await until(() => api.watching === 3 && cache.staleMs === 0, { what: 'the watches' })
})
afterEach(() => {
  cache[Symbol.dispose]()
  api[Symbol.dispose]()
})

function set(generation: number, replicas = 1): void {
  api.put(SETS, {
    metadata: { name: NAME, uid: 'set', labels, annotations: { 'sac.dev/generation': String(generation) } },
    spec: { replicas, template: { spec: { containers: [] } } },
  })
}

/** A pod of generation 1 that should have been gone since `deadline`, and what the cluster says about why. */
async function going(reason?: string, { deadline = new Date(), uid = 'pod' }: { deadline?: Date; uid?: string } = {}): Promise<void> {
  const metadata = {
    name: `${NAME}-0`,
    uid,
    labels,
    annotations: { 'sac.dev/generation': '1' },
    deletionTimestamp: deadline.toISOString(),
    deletionGracePeriodSeconds: GRACE_S,
  }
  const status = running()
  api.put(PODS, { metadata, status: { ...status, conditions: [...status.conditions, ...(reason ? [{ type: 'DisruptionTarget', status: 'True', reason }] : [])] } })
  await until(() => cache.record(KEY).pod?.uid === uid && cache.record(KEY).set !== undefined, { what: 'the pod in view' })
}

/** Looks now and again when it is overdue by this process's own clock. */
async function removed(): Promise<unknown[]> {
  await lost.free()
  clock += ENOUGH_MS
  await lost.free()
  return api.removed
}

test.each(['DeletionByTaintManager', 'DeletionByPodGC'])('%s: a pod of a node that does not answer goes once a newer start has the sandbox', async (reason) => {
  set(2)
  await going(reason)
  expect(await removed()).toEqual([{ path: `${PODS}/${NAME}-0`, body: expect.objectContaining({ gracePeriodSeconds: 0, preconditions: { uid: 'pod' } }) }])
})

test('a pod whose sandbox should not run goes, too', async () => {
  set(1, 0)
  await going('DeletionByTaintManager')
  expect(await removed()).toHaveLength(1)
})

test('as long as its own start has the sandbox it stays: its token is still good', async () => {
  set(1)
  await going('DeletionByTaintManager')
  expect(stateOf(cache.record(KEY))).toMatchObject({ phase: 'starting', isLost: true })
  expect(await removed()).toEqual([])
})

test.each([undefined, 'EvictionByEvictionAPI', 'PreemptionByScheduler', 'TerminationByKubelet'])(
  '%s: a pod that is only overdue stays, as with a hung container runtime',
  async (reason) => {
    set(2)
    await going(reason, { deadline: new Date(Date.now() - 3_600_000) })
    expect(await removed()).toEqual([])
    clock += 3_600_000
    expect(await removed()).toEqual([])
  },
)

test('a node that reports how it ends the pod is there', async () => {
  set(2)
  await going('DeletionByTaintManager')
  const involvedObject = { kind: 'Pod', name: `${NAME}-0`, uid: 'pod' }
  api.put(PATHS.events(NAMESPACE), { metadata: { name: 'e', uid: 'e' }, involvedObject, reason: 'FailedKillPod', type: 'Warning', lastTimestamp: new Date().toISOString() })
  await until(() => cache.record(KEY).events.length === 1, { what: 'the event' })
  expect(await removed()).toEqual([])
})

/** Something that is reported about the pod, by a clock that may be another machine's. */
function report(reason: string, { at = new Date(), by = 'kubelet', uid = reason }: { at?: Date; by?: string; uid?: string } = {}): void {
  const involvedObject = { kind: 'Pod', name: `${NAME}-0`, uid: 'pod' }
  api.put(PATHS.events(NAMESPACE), { metadata: { name: uid, uid }, involvedObject, reason, type: 'Normal', lastTimestamp: at.toISOString(), source: { component: by } })
}

test('a node whose clock is minutes late and that reports how it ends the pod is there, too', async () => {
  set(2)
  report('Killing', { at: new Date(Date.now() - 3 * 60_000) })
  await going('DeletionByTaintManager')
  await until(() => cache.record(KEY).events.length === 1, { what: 'the event' })
  expect(await removed()).toEqual([])
})

test('whatever a node reports after the pod was told to end is a sign of life, by any clock; what others report, and what it said before, is none', async () => {
  set(2)
  report('Started', { uid: 'before' })
  await going('DeletionByTaintManager')
  await until(() => cache.record(KEY).events.length === 1, { what: 'the first event' })
  await lost.free()
  report('Unhealthy', { at: new Date(Date.now() - 86_400_000) })
  await until(() => cache.record(KEY).events.length === 2, { what: 'the sign of life' })
  clock += ENOUGH_MS
  await lost.free()
  expect(api.removed).toEqual([])
  // Long after the last of them the node is lost all the same.
  report('NodeNotReady', { by: 'node-controller' })
  await until(() => cache.record(KEY).events.length === 3, { what: 'the report of somebody else' })
  clock += 3_700_000
  await lost.free()
  expect(api.removed).toHaveLength(1)
})

test.each(['before they were seen', 'later'])('while events are out of view nothing is removed, %s: nobody would hear the node', async (when) => {
  if (when === 'before they were seen') {
    cache[Symbol.dispose]()
    api.refuse = (path) => path === PATHS.events(NAMESPACE)
    const client = new KubeClient(api.access)
    cache = new SandboxCache({ client, namespace: NAMESPACE, installation: 'i', logger: silentLogger })
    lost = new LostPods({ client, cache, namespace: NAMESPACE, logger: silentLogger, now: () => clock })
    await cache.ready()
  }
  set(2)
  await going('DeletionByTaintManager')
  if (when === 'later') {
    await lost.free()
    api.refuse = (path) => path === PATHS.events(NAMESPACE)
    api.breakWatches('cut')
    await until(() => !cache.isWhole && cache.staleMs === 0, { what: 'events alone out of view' })
  }
  expect(await removed()).toEqual([])
  api.refuse = undefined
  await until(() => cache.isWhole, { what: 'all in view' })
  await removed()
  // The view may tell of the end a moment later than the second look.
  expect([...new Set(api.removed.map(({ path }) => path))]).toEqual([`${PODS}/${NAME}-0`])
})

test('a start that waits for a pod which does not end says so, with the evidence for an admin', async () => {
  set(2)
  await going()
  expect(stateOf(cache.record(KEY))).toMatchObject({ phase: 'starting', reason: expect.stringContaining('look at its node'), evidence: expect.stringMatching(/^pod pod on node/) })
})

test('no clock of another machine counts, only the time for which this process has seen it', async () => {
  set(2)
  await going('DeletionByTaintManager', { deadline: new Date(Date.now() - 86_400_000) })
  await lost.free()
  clock += ENOUGH_MS - 2000
  await lost.free()
  expect(api.removed).toEqual([])
  // Another pod of that name has its own time.
  await going('DeletionByTaintManager', { uid: 'another' })
  clock += 10_000
  await lost.free()
  expect(api.removed).toEqual([])
})

test('nothing is removed while the view is out of touch', async () => {
  set(2)
  await going('DeletionByTaintManager')
  await lost.free()
  clock += ENOUGH_MS
  api.refusals.push(...Array.from({ length: 9 }, () => ({ status: 503, reason: '', when: 'watch' as const })))
  api.breakWatches('cut')
  await until(() => cache.staleMs > 0, { what: 'a view out of touch' })
  await lost.free()
  expect(api.removed).toEqual([])
})
