// Why a sandbox is not there: the cluster's many ways to say it, in words that its user can act on. Pure.
import type { SandboxRecord } from './cache.ts'
import type { ContainerView, EventView, PodView } from './objects.ts'

/** What keeps a sandbox down. */
export interface Diagnosis {
  /** A sentence with a next step. */
  words: string
  /** The cluster's own words, for admins. */
  raw: string
  /** Waiting does not help. */
  final: boolean
}

const IMAGE_WAITS = /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/
const MISSING_IMAGE = /not found|manifest unknown|does not exist|name unknown|not present/i
const REFUSED_PULL = /unauthorized|authentication required|denied|forbidden/i

type Rule = [pattern: RegExp, words: string, final: boolean]

/** Reasons why no pod is made, from the StatefulSet's events. */
const CREATION: Rule[] = [
  [/exceeded quota/i, 'The quota of the agents’ namespace is used up. Stop another agent, or ask an admin to raise the quota; the start goes on by itself.', false],
  [/violates PodSecurity/i, 'The cluster’s security rules refuse the sandbox. Ask an admin to look at the pod security level of the agents’ namespace.', true],
  [/RuntimeClass "?[^"]*"? ?not found|runtimeclass.*not found/i, 'The cluster does not have the configured runtime class. Ask an admin to correct it in the settings.', true],
  [
    /maximum (cpu|memory) usage|must be less than or equal to (cpu|memory) limit/i,
    'The agent asks for more CPU or memory than the cluster allows for one. Lower its limits and start it again.',
    true,
  ],
  [/denied the request|ValidatingAdmissionPolicy|admission webhook/i, 'The cluster’s admission rules refuse the sandbox. Ask an admin to look at the event.', true],
  [/Claim .* failed|persistentvolumeclaims? .*(forbidden|invalid)/i, 'The volume for the agent’s files cannot be made. Ask an admin to look at the storage settings.', true],
  [/is forbidden/i, 'The cluster refuses the sandbox. Ask an admin to look at the event.', true],
]

/** Reasons why a pod has no node, from its condition. The volume comes first: without one nothing else matters. */
const PLACING: [pattern: RegExp, words: string][] = [
  [
    /unbound immediate PersistentVolumeClaims|storageclass.*not found|no persistent volumes/i,
    'There is no volume for the agent’s files. Ask an admin to look at the storage class of the agents.',
  ],
  [
    /node\(s\) (didn't find available persistent volumes|had volume node affinity conflict|exceed max volume count)/i,
    'The agent’s volume cannot be used on a node with room. Ask an admin to look at the cluster’s volumes.',
  ],
  [/Insufficient cpu/i, 'No node of the cluster has enough free CPU. Stop another agent, or ask an admin for more room; the start goes on by itself.'],
  [/Insufficient memory/i, 'No node of the cluster has enough free memory. Stop another agent, or ask an admin for more room; the start goes on by itself.'],
  [/Insufficient ephemeral-storage/i, 'No node of the cluster has enough free disk space. Ask an admin for more room; the start goes on by itself.'],
  [/Too many pods/i, 'The nodes of the cluster run as many pods as they may. Stop another agent, or ask an admin for more room; the start goes on by itself.'],
  [/taint|unschedulable/i, 'No node of the cluster takes agents at the moment. Ask an admin to look at the nodes.'],
]

/** What is wrong with a sandbox that should run, or undefined when nothing is known to be. */
export function diagnose({ pod, events, set }: SandboxRecord): Diagnosis | undefined {
  if (!pod) return ofCreation(events, set?.uid)
  return ofPod(pod) ?? ofContainer(pod.agent, 'sandbox') ?? ofContainer(pod.sidecar, 'part that mirrors files') ?? ofPlace(pod, events) ?? ofVolume(pod, events)
}

/** Why a sandbox that ran does not run any more. */
export function whyEnded({ pod, set, events }: SandboxRecord): string {
  if (!set) return 'The sandbox was deleted from the cluster by somebody else.'
  if (!pod || pod.deadline) return pod ? (disruptionWords(pod) ?? 'The sandbox’s pod was taken away.') : (evictionOf(events) ?? 'The sandbox’s pod was deleted.')
  const trouble = ofPod(pod)
  if (trouble) return trouble.words
  const end = pod.agent?.lastEnd
  if (end?.reason === 'OOMKilled') return 'The sandbox used more memory than it may and was ended.'
  if (end) return `The sandbox’s processes ended (${end.reason || 'exit'} ${end.exitCode}).`
  return evictionOf(events) ?? 'The sandbox’s pod was replaced.'
}

/** What is wrong with a sandbox that runs: its files may not be mirrored. */
export function warningOf({ set, pod }: SandboxRecord): string | undefined {
  if (set && !set.keepsFiles) return 'This agent has no volume: its files are lost when its sandbox ends.'
  const { sidecar } = pod ?? {}
  return sidecar && sidecar.state !== 'running' && sidecar.restarts > 0
    ? 'New files of this agent do not appear in the portal at the moment. They do once it is restarted.'
    : undefined
}

function ofPod(pod: PodView): Diagnosis | undefined {
  if (pod.reason === 'Evicted') return diagnosis(`The node ran out of room and ended the sandbox. It starts again on its own.`, `Evicted: ${pod.message}`)
  if (pod.phase === 'Failed') return diagnosis('The sandbox’s pod failed. It starts again on its own.', `${pod.reason}: ${pod.message}`)
  const words = disruptionWords(pod)
  return words ? diagnosis(words, pod.disruption ?? '') : undefined
}

function disruptionWords({ disruption }: PodView): string | undefined {
  switch (disruption) {
    case undefined:
      return undefined
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      return 'The node of the sandbox does not answer any more. The sandbox moves to another one.'
    case 'PreemptionByScheduler':
      return 'The cluster needed the room for something more important.'
    default:
      return 'The cluster took the sandbox away from its node.'
  }
}

function ofContainer(container: ContainerView | undefined, what: string): Diagnosis | undefined {
  if (!container || container.state === 'running') return undefined
  const { reason, message, lastEnd } = container
  if (IMAGE_WAITS.test(reason)) return ofImage(reason, message)
  if (/^(CreateContainerConfigError|CreateContainerError|RunContainerError|StartError|ContainerCannotRun)$/.test(reason))
    return diagnosis(`The ${what} cannot be started on its node. Ask an admin to look at the event.`, `${reason}: ${message}`)
  if (reason === 'CrashLoopBackOff' || (container.state === 'terminated' && container.restarts > 1)) {
    const memory = lastEnd?.reason === 'OOMKilled'
    const words = memory
      ? `The ${what} uses more memory than it may. Raise the agent’s memory limit and start it again.`
      : `The ${what} ends as soon as it is started. Ask an admin to look at its log.`
    return diagnosis(words, `${reason}: ${lastEnd?.reason ?? ''} ${lastEnd?.exitCode ?? ''} ${message}`.trim())
  }
  return undefined
}

function ofImage(reason: string, message: string): Diagnosis {
  const raw = `${reason}: ${message}`
  if (reason === 'InvalidImageName') return diagnosis('The name of the agent’s image is not valid. Ask an admin to correct it.', raw, true)
  if (reason === 'ErrImageNeverPull') return diagnosis('The agent’s image is not on the node, and nodes may not fetch it. Ask an admin to load it.', raw, true)
  // A first failure may be a hiccup of the registry; the kubelet has tried again when it backs off.
  const tried = reason === 'ImagePullBackOff'
  if (MISSING_IMAGE.test(message)) return diagnosis('The agent’s image was not found. Ask an admin to correct its name or to push it.', raw, tried)
  if (REFUSED_PULL.test(message)) return diagnosis('The registry refuses to hand out the agent’s image. Ask an admin to look at the pull secret.', raw, tried)
  return diagnosis('The agent’s image cannot be fetched at the moment; the cluster tries again. Ask an admin to look at the registry if it stays so.', raw)
}

function ofPlace({ isScheduled, unschedulable, uid }: PodView, events: readonly EventView[]): Diagnosis | undefined {
  if (isScheduled) return undefined
  const provisioning = latest(events, ({ kind, reason }) => kind === 'PersistentVolumeClaim' && (reason === 'ProvisioningFailed' || reason === 'FailedBinding'))
  const raw = [unschedulable ?? latest(events, ({ objectUid, reason }) => objectUid === uid && reason === 'FailedScheduling')?.message, provisioning?.message]
    .filter(Boolean)
    .join(' ')
  if (raw === '') return undefined
  if (provisioning?.isWarning) return diagnosis('There is no volume for the agent’s files. Ask an admin to look at the storage class of the agents.', raw)
  const words =
    PLACING.find(([pattern]) => pattern.test(raw))?.[1] ?? 'The cluster has no place for the sandbox at the moment. Ask an admin to look at the event; the start goes on by itself.'
  return diagnosis(words, raw)
}

function ofVolume({ uid, isScheduled }: PodView, events: readonly EventView[]): Diagnosis | undefined {
  const event = isScheduled ? latest(events, ({ objectUid, reason }) => objectUid === uid && /^Failed(Mount|AttachVolume)|^FailedCreatePodSandBox/.test(reason)) : undefined
  if (!event) return undefined
  const words =
    event.reason === 'FailedCreatePodSandBox'
      ? 'The node cannot prepare the sandbox. Ask an admin to look at the event; the start goes on by itself.'
      : 'The agent’s volume cannot be attached to its node yet; the cluster tries again. Ask an admin to look at it if it stays so.'
  return diagnosis(words, event.message)
}

function ofCreation(events: readonly EventView[], setUid: string | undefined): Diagnosis | undefined {
  const event = latest(events, ({ objectUid, reason, isWarning }) => isWarning && objectUid === setUid && /^Failed/.test(reason))
  if (!event) return undefined
  const [, words, final] = CREATION.find(([pattern]) => pattern.test(event.message)) ?? [
    undefined,
    'The cluster cannot make the sandbox’s pod at the moment. Ask an admin to look at the event.',
    false,
  ]
  return diagnosis(words, event.message, final)
}

function evictionOf(events: readonly EventView[]): string | undefined {
  const evicted = latest(events, ({ reason }) => reason === 'Evicted')
  return evicted ? 'The node ran out of room and ended the sandbox.' : undefined
}

function latest(events: readonly EventView[], isMeant: (event: EventView) => boolean): EventView | undefined {
  return events.findLast(isMeant)
}

function diagnosis(words: string, raw: string, final = false): Diagnosis {
  return { words, raw, final }
}
