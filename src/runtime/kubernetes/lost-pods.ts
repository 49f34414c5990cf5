// Pods of nodes that are gone: the cluster keeps them for ever, and their StatefulSets wait for them.
import type { Logger } from '../../lib/logger.ts'
import { podName } from '../names.ts'
import type { SandboxCache, SandboxRecord } from './cache.ts'
import { type KubeClient, PATHS } from './client.ts'
import type { PodView } from './objects.ts'
import { isOfLostNode } from './observed.ts'

/** How long past its time to end a pod is waited for, by this process's own clock. */
const OVERDUE_MS = 60_000
/** What a node's own agent reports about a pod that it ends: who reports that is there. */
const SIGN_OF_LIFE = /^(Killing|FailedKillPod|ExceededGracePeriod|FailedPreStopHook)$/

/**
 * Removes such pods, so that their sandboxes move to another node. Two pods must never have one volume, so it takes more
 * than a pod that is overdue, as one is with a hung container runtime:
 * - The cluster itself says that it took the pod from a node which is gone or does not answer. (A node that answers and
 *   says that it is not ready keeps its pods: they tolerate that.)
 * - The node has reported nothing about the pod's end.
 * - A newer start has the sandbox, or it was stopped: the lost pod's token is not good any more.
 */
export class LostPods {
  /** When this process first saw a pod on its way out, by uid. No clock of another machine counts. */
  private readonly seenAt = new Map<string, number>()

  constructor(private readonly deps: { client: KubeClient; cache: SandboxCache; namespace: string; logger: Logger; now?: () => number }) {}

  /** Looks at all pods once. Any replica may do so at any time: only the very pod that was seen is removed. */
  async free(): Promise<void> {
    const { client, cache, namespace, logger, now = () => performance.now() } = this.deps
    // A view that is out of touch knows of no pod that has gone meanwhile.
    if (cache.staleMs > 0) return
    const going = cache.records().flatMap((record) => (record.pod?.deadline ? [{ record, pod: record.pod }] : []))
    for (const uid of this.seenAt.keys()) if (!going.some(({ pod }) => pod.uid === uid)) this.seenAt.delete(uid)
    for (const { record, pod } of going) {
      const seenAt = this.seenAt.get(pod.uid) ?? now()
      this.seenAt.set(pod.uid, seenAt)
      if (now() - seenAt < pod.graceMs + OVERDUE_MS || !isLost(record, pod)) continue
      const { agentId } = record.key
      try {
        await client.remove(PATHS.pods(namespace), podName(record.key), { gracePeriodSeconds: 0, preconditions: { uid: pod.uid } })
        logger.warn('the pod of a lost node was removed, so that the sandbox can move', { agentId, node: pod.node })
      } catch (error) {
        logger.warn('the pod of a lost node could not be removed', { agentId, error })
      }
    }
  }
}

function isLost({ set, events }: SandboxRecord, pod: PodView): boolean {
  if (!isOfLostNode(pod) || (set?.replicas === 1 && set.generation === pod.generation)) return false
  const toldToEndAt = (pod.deadline?.getTime() ?? 0) - pod.graceMs
  return !events.some(({ objectUid, reason, at }) => objectUid === pod.uid && at >= toldToEndAt && SIGN_OF_LIFE.test(reason))
}
