// Volumes of agents that are gone: marked, kept for a time of grace, then removed. Those of other installations are not seen.
import type { Logger } from '../../lib/logger.ts'
import { bytesOf } from '../../lib/quantities.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { claimName, INSTALLATION_LABEL, keyOfName, RELEASED_LABEL, REMOVE_AFTER } from '../names.ts'
import type { FilesOwner, Runtime } from '../runtime.ts'
import { type ApiObject, ApiRefusal, type KubeClient, PATHS } from './client.ts'
import type { Ownership } from './ownership.ts'

/** Tells the agent that has these numbers today. */
export type PresentAgent = Parameters<NonNullable<Runtime['sweep']>>[0]

interface Deps {
  client: KubeClient
  settings: Pick<ClusterSettings, 'namespace' | 'installation'>
  ownership: Ownership
  /** How long a volume outlives its agent. */
  graceMs: number
  /** Whether there is a StatefulSet that has the claim of this name. */
  inUse: (claim: string) => boolean
  logger: Logger
}

interface ReleasedClaim {
  metadata: { name: string; uid: string; resourceVersion: string; annotations?: Record<string, string>; deletionTimestamp?: string }
}

/** Lets volumes go. The mark is on the claim itself, so that any server at any time carries it out. */
export class ReleasedVolumes {
  constructor(private readonly deps: Deps) {}

  /** Marks the volume of an agent that is gone; removes it at once without a time of grace. */
  async release(owner: FilesOwner): Promise<void> {
    const { client, ownership, graceMs } = this.deps
    const claim = await ownership.ours(this.claims, claimName(owner))
    if (!claim) return
    if (graceMs === 0) return void (await client.remove(this.claims, claimName(owner), { preconditions: { uid: claim.uid } }))
    const removeAfter = new Date(Date.now() + graceMs).toISOString()
    // With its uid: another claim of that name is not meant.
    await client.merge(this.claims, claimName(owner), { metadata: { uid: claim.uid, labels: { [RELEASED_LABEL]: 'true' }, annotations: { [REMOVE_AFTER]: removeAfter } } })
  }

  /** An agent uses its volume again, as after a restored database: it is not let go. Throws AppError `unavailable` for somebody else's. */
  async keep(owner: FilesOwner): Promise<void> {
    const { client, ownership } = this.deps
    const claim = await ownership.find('volume', this.claims, claimName(owner))
    // Nothing may be bound to what goes; the next one has the name then.
    if (claim?.isGoing) throw new ApiRefusal(409, 'Conflict', 'the volume is being removed')
    if (!claim || !(RELEASED_LABEL in claim.labels)) return
    await client.merge(this.claims, claimName(owner), { metadata: { uid: claim.uid, labels: { [RELEASED_LABEL]: null }, annotations: { [REMOVE_AFTER]: null } } })
  }

  /** Makes a volume that is ours as large as is wanted now where its class lets it grow. None shrinks, and one that cannot grow stays as it is. */
  async grow(owner: FilesOwner, size: string): Promise<void> {
    const { client, logger } = this.deps
    try {
      const { spec } = await client.get<{ spec?: { resources?: { requests?: { storage?: string } } } }>(`${this.claims}/${claimName(owner)}`)
      if (bytesOf(size) <= bytesOf(spec?.resources?.requests?.storage ?? '0')) return
      const isThere = await client.merge(this.claims, claimName(owner), { spec: { resources: { requests: { storage: size } } } })
      if (isThere) logger.info('the volume of an agent grows', { agentId: owner.agentId, size })
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error
      // A first start has no volume yet; its StatefulSet makes one of the right size.
      if (error.status !== 404) logger.info('the volume of an agent stays as large as it is', { agentId: owner.agentId, size, error })
    }
  }

  /** Removes the volumes whose time of grace is over; never one that a sandbox still has, or whose agent is `present` again. */
  async sweep(present: PresentAgent, now = new Date()): Promise<void> {
    const { client, settings } = this.deps
    const { items } = await client.list<ApiObject>(this.claims, { labelSelector: `${RELEASED_LABEL}=true,${INSTALLATION_LABEL}=${settings.installation}` })
    for (const { metadata } of items as unknown as ReleasedClaim[]) {
      const removeAfter = Date.parse(metadata.annotations?.[REMOVE_AFTER] ?? '')
      if (!metadata.deletionTimestamp && removeAfter <= now.getTime()) await this.settle(metadata, present)
    }
  }

  // A volume whose time is over goes, unless its agent lives: the database was restored, and nobody has started it since.
  private async settle({ name, uid, resourceVersion }: ReleasedClaim['metadata'], present: PresentAgent): Promise<void> {
    const { logger, inUse } = this.deps
    const key = keyOfName(name)
    const agent = key && (await present(key))
    if (!key) return
    if (agent && claimName({ ...key, birth: agent.birth }) === name) {
      await this.keep({ ...key, birth: agent.birth })
      logger.info('the agent of a volume that was let go is there again: the volume stays', { volume: name })
      return
    }
    if (inUse(name)) return
    if (await this.removeUnchanged(name, { uid, resourceVersion })) logger.info('the volume of an agent that is gone was removed', { volume: name })
  }

  // False when somebody has changed it since it was looked at, as a start does that keeps it.
  private async removeUnchanged(name: string, preconditions: { uid: string; resourceVersion: string }): Promise<boolean> {
    try {
      return await this.deps.client.remove(this.claims, name, { preconditions })
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 409) return false
      throw error
    }
  }

  private get claims(): string {
    return PATHS.claims(this.deps.settings.namespace)
  }
}
