// The words for what a cluster reports; the reports are as real clusters write them.
import { describe, expect, test } from 'bun:test'
import { quantity } from '../../src/lib/quantities.ts'
import type { SandboxRecord } from '../../src/runtime/kubernetes/cache.ts'
import { diagnose, warningOf, whyEnded } from '../../src/runtime/kubernetes/diagnosis.ts'
import type { ContainerView, EventView, PodView, SetView } from '../../src/runtime/kubernetes/objects.ts'
import { progressOf, stateOf } from '../../src/runtime/kubernetes/observed.ts'

const SET: SetView = { uid: 'set', generation: 2, replicas: 1, cpuLimit: 2, memoryLimitBytes: 2 ** 32, keepsFiles: true, isGoing: false }
const RUNNING: ContainerView = { state: 'running', reason: '', message: '', restarts: 0, startedAt: new Date(0) }
const POD: PodView = {
  uid: 'pod',
  generation: 2,
  credentialKey: 'k',
  phase: 'Running',
  reason: '',
  message: '',
  ip: '10.0.0.7',
  isScheduled: true,
  graceMs: 15_000,
  agent: RUNNING,
  sidecar: RUNNING,
}
const record = (change: Partial<SandboxRecord> = {}): SandboxRecord => ({ key: { userId: 1, agentId: 7 }, set: SET, pod: POD, events: [], ...change })
const event = (reason: string, message: string, change: Partial<EventView> = {}): EventView => ({
  uid: 'e',
  objectUid: 'pod',
  kind: 'Pod',
  reason,
  message,
  isWarning: true,
  count: 1,
  reporter: 'kubelet',
  at: 1,
  ...change,
})
const waiting = (reason: string, message = '', change: Partial<ContainerView> = {}): ContainerView => ({ state: 'waiting', reason, message, restarts: 0, ...change })
const noPod = (message: string) => record({ pod: undefined, events: [event('FailedCreate', message, { objectUid: 'set', kind: 'StatefulSet' })] })
const unplaced = (message: string, events: EventView[] = []) =>
  record({ pod: { ...POD, phase: 'Pending', ip: undefined, isScheduled: false, unschedulable: message, agent: undefined, sidecar: undefined }, events })
const pulling = (reason: string, message: string) => record({ pod: { ...POD, phase: 'Pending', agent: waiting(reason, message), sidecar: waiting('ContainerCreating') } })

describe('why a sandbox does not come up', () => {
  test.each<[string, SandboxRecord, RegExp, boolean]>([
    [
      'CPU',
      unplaced('0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.'),
      /enough free CPU/,
      false,
    ],
    ['memory', unplaced('0/1 nodes are available: 1 Insufficient memory.'), /enough free memory/, false],
    ['disk', unplaced('0/1 nodes are available: 1 Insufficient ephemeral-storage.'), /free disk space/, false],
    ['pods', unplaced('0/1 nodes are available: 1 Too many pods.'), /as many pods/, false],
    ['taints', unplaced('0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unschedulable: }.'), /takes agents/, false],
    ['no volume', unplaced('pod has unbound immediate PersistentVolumeClaims'), /no volume/, false],
    [
      'no volume, by the claim',
      unplaced('', [event('ProvisioningFailed', 'storageclass.storage.k8s.io "fast" not found', { kind: 'PersistentVolumeClaim', objectUid: 'claim' })]),
      /storage class/,
      false,
    ],
    ['another zone', unplaced('0/2 nodes are available: 2 node(s) had volume node affinity conflict.'), /volume cannot be used/, false],
    ['something new', unplaced('0/2 nodes are available: 2 node(s) had the measles.'), /no place/, false],
    ['image not found', pulling('ImagePullBackOff', 'Back-off pulling image "x": ErrImagePull: rpc error: code = NotFound desc = failed to resolve: not found'), /not found/, true],
    ['image not found at first', pulling('ErrImagePull', 'manifest unknown'), /not found/, false],
    ['registry refuses', pulling('ImagePullBackOff', 'pull access denied, authorization failed'), /pull secret/, true],
    ['registry away', pulling('ImagePullBackOff', 'dial tcp 10.0.0.1:443: i/o timeout'), /cannot be fetched at the moment/, false],
    ['no image by name', pulling('InvalidImageName', 'couldn’t parse image name'), /not valid/, true],
    ['image not loaded', pulling('ErrImageNeverPull', 'Container image "x" is not present with pull policy of Never'), /not on the node/, true],
    [
      'quota',
      noPod(
        'create Pod claude-code-1-7-0 in StatefulSet claude-code-1-7 failed error: pods "claude-code-1-7-0" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0',
      ),
      /quota/,
      false,
    ],
    ['pod security', noPod('pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'), /security rules/, true],
    ['admission', noPod('admission webhook "policy.example.com" denied the request: no'), /admission rules/, true],
    ['a policy', noPod("pods \"x\" is forbidden: ValidatingAdmissionPolicy 'agents' with binding 'agents' denied request: image"), /admission rules/, true],
    ['runtime class', noPod('pods "x" is forbidden: pod rejected: RuntimeClass "gvisor" not found'), /runtime class/, true],
    ['limit range', noPod('pods "x" is forbidden: maximum cpu usage per Container is 600m, but limit is 1'), /more CPU or memory/, true],
    ['mount', record({ pod: { ...POD, agent: waiting('ContainerCreating') }, events: [event('FailedMount', 'MountVolume.SetUp failed')] }), /volume cannot be attached/, false],
    [
      'network',
      record({ pod: { ...POD, agent: waiting('ContainerCreating') }, events: [event('FailedCreatePodSandBox', 'no address left')] }),
      /cannot prepare the sandbox/,
      false,
    ],
    ['config', record({ pod: { ...POD, agent: waiting('CreateContainerConfigError', 'secret "x" not found') } }), /cannot be started on its node/, false],
    [
      'crash',
      record({ pod: { ...POD, agent: waiting('CrashLoopBackOff', '', { restarts: 3, lastEnd: { reason: 'Error', exitCode: 1 } }) } }),
      /ends as soon as it is started/,
      false,
    ],
    [
      'crash by memory',
      record({ pod: { ...POD, agent: waiting('CrashLoopBackOff', '', { restarts: 3, lastEnd: { reason: 'OOMKilled', exitCode: 137 } }) } }),
      /more memory than it may/,
      false,
    ],
  ])('%s', (_what, seen, words, final) => {
    const found = diagnose(seen)
    expect(found?.words).toMatch(words)
    expect(found?.words).not.toMatch(/0\/|FailedCreate|rpc|"/)
    expect(found?.final).toBe(final)
    expect(found?.raw).not.toBe('')
    expect(stateOf(seen)).toMatchObject({ phase: final ? 'failed' : 'starting', reason: found?.words ?? '', evidence: found?.raw ?? '' })
  })

  test('a running one has nothing to say', () => {
    expect(diagnose(record())).toBeUndefined()
    expect(stateOf(record())).toMatchObject({ phase: 'ready', generation: 2 })
  })

  test('what is told about an older pod is no trouble of the new one', () => {
    const seen = record({ pod: { ...POD, agent: waiting('ContainerCreating') }, events: [event('FailedMount', 'old', { objectUid: 'older pod' })] })
    expect(diagnose(seen)).toBeUndefined()
    expect(progressOf(record({ set: { ...SET, generation: 1 } }), 2)).toEqual({ news: { step: 'scheduling' } })
  })
})

test('a refusal of an earlier start does not end a later one', () => {
  const seen = noPod('admission webhook "policy.example.com" denied the request: no')
  expect(progressOf(seen, 2).trouble?.final).toBe(true)
  expect(progressOf(seen, 2, 1)).toEqual({ news: { step: 'scheduling' }, trouble: undefined })
})

describe('why a sandbox ended', () => {
  test.each<[string, SandboxRecord, RegExp]>([
    ['evicted', record({ pod: { ...POD, phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' } }), /ran out of room/],
    [
      'out of memory',
      record({ pod: { ...POD, agent: waiting('', '', { state: 'terminated', restarts: 1, lastEnd: { reason: 'OOMKilled', exitCode: 137 } }) } }),
      /more memory than it may/,
    ],
    ['a lost node', record({ pod: { ...POD, deadline: new Date(), disruption: 'DeletionByTaintManager' } }), /does not answer any more/],
    ['preempted', record({ pod: { ...POD, deadline: new Date(), disruption: 'PreemptionByScheduler' } }), /more important/],
    ['deleted', record({ pod: undefined }), /was deleted/],
    ['without a StatefulSet', record({ set: undefined, pod: undefined }), /deleted from the cluster/],
    ['exit', record({ pod: { ...POD, agent: waiting('', '', { state: 'terminated', restarts: 0, lastEnd: { reason: 'Error', exitCode: 3 } }) } }), /processes ended \(Error 3\)/],
  ])('%s', (_what, seen, words) => expect(whyEnded(seen)).toMatch(words))
})

test('a sidecar that does not run, and a missing volume, are warnings of a running sandbox', () => {
  expect(warningOf(record())).toBeUndefined()
  expect(warningOf(record({ pod: { ...POD, sidecar: waiting('CrashLoopBackOff', '', { restarts: 2 }) } }))).toMatch(/do not appear in the portal/)
  expect(warningOf(record({ set: { ...SET, keepsFiles: false } }))).toMatch(/no volume/)
})

test('the steps of a start', () => {
  const pulled = (reason: string) => [
    event('Pulling', 'Pulling image', { isWarning: false }),
    ...(reason === 'Pulled' ? [event('Pulled', 'Successfully pulled', { uid: 'f', isWarning: false })] : []),
  ]
  const creating = { ...POD, phase: 'Pending', ip: undefined, agent: waiting('ContainerCreating') }
  expect(progressOf(record({ pod: undefined }), 2).news.step).toBe('scheduling')
  expect(progressOf(record({ pod: { ...POD, generation: 1 } }), 2).news).toEqual({ step: 'scheduling', detail: 'The sandbox before it ends first' })
  expect(progressOf(record({ pod: creating }), 2).news.step).toBe('starting')
  expect(progressOf(record({ pod: creating, events: pulled('Pulling') }), 2).news.step).toBe('image')
  expect(progressOf(record({ pod: creating, events: pulled('Pulled') }), 2).news.step).toBe('starting')
})

test.each([
  ['250m', 0.25],
  ['2', 2],
  ['1.5', 1.5],
  ['512Mi', 536_870_912],
  ['1e3', 1000],
  ['12345678n', 0.012345678],
  ['', undefined],
  ['two', undefined],
  ['5Xi', undefined],
])('the amount %s', (text, amount) => expect(quantity(text)).toBe(amount))
