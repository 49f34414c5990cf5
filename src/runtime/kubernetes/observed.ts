// From what the cluster shows of a sandbox to what the portal says about it. Pure.
import type { SandboxDetails, SandboxState, StartProgress } from '../runtime.ts'
import type { SandboxRecord } from './cache.ts'
import { type Diagnosis, diagnose, warningOf, whyEnded } from './diagnosis.ts'
import type { PodView } from './objects.ts'

/** Whether the terminal of this start can be dialled. */
export function isUp({ set, pod }: SandboxRecord): boolean {
  return set?.replicas === 1 && !set.isGoing && pod !== undefined && pod.generation === set.generation && !pod.deadline && pod.ip !== undefined && pod.agent?.state === 'running'
}

/** Whether the cluster took a pod from a node that is gone or does not answer. What ran there may run on, unseen. */
export function isOfLostNode({ disruption }: PodView): boolean {
  return disruption === 'DeletionByTaintManager' || disruption === 'DeletionByPodGC'
}

/** Phase and words of a sandbox. */
export function stateOf(record: SandboxRecord): SandboxState {
  const { key, set, pod } = record
  const base = { ...key, generation: set?.generation ?? pod?.generation ?? 0 }
  // A pod without its StatefulSet is on its way out.
  if (!set) return { ...base, phase: 'absent', reason: whyEnded(record) }
  if (set.isGoing || set.replicas === 0) return { ...base, phase: 'absent', reason: 'The sandbox is stopped.' }
  if (isUp(record)) return { ...base, phase: 'ready', startedAt: pod?.agent?.startedAt, warning: warningOf(record) }
  const trouble = diagnose(record) ?? lingering(record)
  const reason = trouble?.words ?? whyEnded(record)
  const isLost = pod?.generation === set.generation && isOfLostNode(pod)
  return { ...base, phase: trouble?.final ? 'failed' : 'starting', reason, ...(trouble ? { evidence: trouble.raw } : {}), ...(isLost ? { isLost } : {}) }
}

// Nobody but its node can tell that a pod has ended.
function lingering({ set, pod }: SandboxRecord): Diagnosis | undefined {
  if (!pod?.deadline || pod.generation === set?.generation) return undefined
  const words = 'The sandbox before this one has not ended yet. If it stays so, ask an admin to look at its node.'
  return { words, raw: `pod ${pod.uid} on node ${pod.node ?? '?'} should have ended at ${pod.deadline.toISOString()}`, final: false }
}

/** How far a start is, and what holds it up. Events up to `since` belong to earlier starts: what they tell may be mended. */
export function progressOf(seen: SandboxRecord, generation: number, since = 0): { news: StartProgress; trouble?: Diagnosis } {
  const record = { ...seen, events: seen.events.filter(({ at }) => at > since) }
  const { set, pod, events } = record
  // What is told about an older start says nothing about this one.
  if (set?.generation !== generation) return { news: { step: 'scheduling' } }
  if (pod && pod.generation !== generation) return { news: { step: 'scheduling', detail: 'The sandbox before it ends first' } }
  const trouble = diagnose(record)
  const told = (news: StartProgress) => ({ news: trouble ? { ...news, detail: trouble.words, evidence: trouble.raw } : news, trouble })
  if (!pod?.isScheduled) return told({ step: 'scheduling' })
  const last = events.findLast(({ objectUid, reason }) => objectUid === pod.uid && (reason === 'Pulling' || reason === 'Pulled'))
  if (last?.reason === 'Pulling' || /Image|ErrImage/.test(pod.agent?.reason ?? '')) return told({ step: 'image', detail: 'The node fetches the image' })
  return told({ step: 'starting', detail: pod.agent?.state === 'running' ? undefined : 'The node prepares volume and containers' })
}

/** What an admin sees of a sandbox. */
export function detailsOf({ set, pod, events }: SandboxRecord): SandboxDetails {
  return {
    image: pod?.image ?? set?.image,
    node: pod?.node,
    restarts: pod?.agent?.restarts ?? 0,
    events: events.toReversed().map(({ at, kind, reason, message, isWarning, count }) => ({ at: new Date(at), kind, reason, message, isWarning, count })),
  }
}
