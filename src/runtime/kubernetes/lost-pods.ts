// Pods of nodes that are gone: the cluster keeps them for ever, and their StatefulSets wait for them.
import type { Logger } from '../../lib/logger.ts'
import { podName } from '../names.ts'
import type { SandboxCache, SandboxRecord } from './cache.ts'
import { type KubeClient, PATHS } from './client.ts'
import type { PodView } from './objects.ts'
import { isOfLostNode } from './observed.ts'

/** How long past its time to end a pod is waited for, by this process's own clock. */
const OVERDUE_MS = 60_000
/** How far the clock of a node may be behind that of the API. */
const CLOCK_SKEW_MS = 5 * 60_000
/** So long after a node was heard for the last time it counts as lost all the same: whoever cannot end a pod says so more often. */
const SILENT_MS = 3_600_000
const KUBELET = 'kubelet'
/** What a node's own agent reports about a pod that it ends: who reports that is there. */
const SIGN_OF_LIFE = /^(Killing|FailedKillPod|ExceededGracePeriod|FailedPreStopHook)$/

/** A pod on its way out, by this process's own clock: no clock of another machine counts. */
interface Going {
  /** When it was first seen so. */
  seenAt: number
  /** What its node has reported. */
  heard: ReadonlySet<string>
  /** When its node was last heard since then. */
  aliveAt?: number
}

/**
 * Removes such pods, so that their sandboxes move to another node. Two pods must never have one volume, so it takes more
 * than a pod that is overdue, as one is with a hung container runtime:
 * - The cluster itself says that it took the pod from a node which is gone or does not answer. (A node that answers and
 *   says that it is not ready keeps its pods: they tolerate that.)
 * - The node has reported nothing about the pod's end, and nothing at all since it was told to end it. That needs events in view.
 * - A newer start has the sandbox, or it was stopped: the lost pod's token is not good any more.
 */
export class LostPods {
  private readonly going = new Map<string, Going>()

  constructor(private readonly deps: { client: KubeClient; cache: SandboxCache; namespace: string; logger: Logger; now?: () => number }) {}

  /** Looks at all pods once. Any replica may do so at any time: only the very pod that was seen is removed. */
  async free(): Promise<void> {
    const { client, cache, namespace, logger, now = () => performance.now() } = this.deps
    // A view that is out of touch knows of no pod that has gone meanwhile, and hears no node.
    if (!cache.isWhole) return
    const going = cache.records().flatMap((record) => (record.pod?.deadline ? [{ record, pod: record.pod }] : []))
    for (const uid of this.going.keys()) if (!going.some(({ pod }) => pod.uid === uid)) this.going.delete(uid)
    for (const { record, pod } of going) {
      const { seenAt, aliveAt = Number.NEGATIVE_INFINITY } = this.look(record, pod, now())
      if (now() - seenAt < pod.graceMs + OVERDUE_MS || now() - aliveAt < SILENT_MS || !isLost(record, pod)) continue
      const { agentId } = record.key
      try {
        await client.remove(PATHS.pods(namespace), podName(record.key), { gracePeriodSeconds: 0, preconditions: { uid: pod.uid } })
        logger.warn('the pod of a lost node was removed, so that the sandbox can move', { agentId, node: pod.node })
      } catch (error) {
        logger.warn('the pod of a lost node could not be removed', { agentId, error })
      }
    }
  }

  // What is new since the last look was heard since then, whatever time it bears.
  private look({ events }: SandboxRecord, { uid }: PodView, now: number): Going {
    const before = this.going.get(uid)
    const heard = new Set(events.filter((event) => event.objectUid === uid && event.reporter === KUBELET).map((event) => `${event.uid} ${event.at} ${event.count}`))
    const isAlive = before !== undefined && [...heard].some((sign) => !before.heard.has(sign))
    const seen = { seenAt: before?.seenAt ?? now, heard, aliveAt: isAlive ? now : before?.aliveAt }
    this.going.set(uid, seen)
    return seen
  }
}

function isLost({ set, events }: SandboxRecord, pod: PodView): boolean {
  if (!isOfLostNode(pod) || (set?.replicas === 1 && set.generation === pod.generation)) return false
  const toldToEndAt = (pod.deadline?.getTime() ?? 0) - pod.graceMs
  return !events.some(({ objectUid, reason, at }) => objectUid === pod.uid && at >= toldToEndAt - CLOCK_SKEW_MS && SIGN_OF_LIFE.test(reason))
}
