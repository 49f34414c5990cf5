// Pods of nodes that are gone: the cluster keeps them for ever, and their StatefulSets wait for them.
import type { Logger } from '../../lib/logger.ts'
import { podName } from '../names.ts'
import type { SandboxCache } from './cache.ts'
import { type KubeClient, PATHS } from './client.ts'

/** How long past its time a pod may stay; its node is taken to be lost then. */
const OVERDUE_MS = 60_000

/** Removes such pods, so that their sandboxes move to another node. */
export class LostPods {
  constructor(private readonly deps: { client: KubeClient; cache: SandboxCache; namespace: string; logger: Logger }) {}

  /** Looks at all pods once. Any replica may do so at any time: only the very pod that was seen is removed. */
  async free(now = Date.now()): Promise<void> {
    const { client, cache, namespace, logger } = this.deps
    // A view that is out of touch knows of no pod that has gone meanwhile.
    if (cache.staleMs > 0) return
    for (const { key, pod } of cache.records()) {
      if (!pod?.deadline || now - pod.deadline.getTime() < OVERDUE_MS) continue
      try {
        await client.remove(PATHS.pods(namespace), podName(key), { gracePeriodSeconds: 0, preconditions: { uid: pod.uid } })
        logger.warn('the pod of a lost node was removed, so that the sandbox can move', { agentId: key.agentId })
      } catch (error) {
        logger.warn('the pod of a lost node could not be removed', { agentId: key.agentId, error })
      }
    }
  }
}
