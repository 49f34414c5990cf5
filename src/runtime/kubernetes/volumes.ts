// Volumes of agents that are gone: marked, kept for a time of grace, then removed. Those of other installations are not seen.
import type { Logger } from '../../lib/logger.ts'
import { bytesOf } from '../../lib/quantities.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { claimName, INSTALLATION_LABEL, RELEASED_LABEL, REMOVE_AFTER, type SandboxKey } from '../names.ts'
import { type ApiObject, ApiRefusal, type KubeClient, PATHS } from './client.ts'
import type { Ownership } from './ownership.ts'

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

/** Lets volumes go. The mark is on the claim itself, so that any server at any time carries it out. */
export class ReleasedVolumes {
  constructor(private readonly deps: Deps) {}

  /** Marks the volume of an agent that is gone; removes it at once without a time of grace. */
  async release(key: SandboxKey): Promise<void> {
    const { client, ownership, graceMs } = this.deps
    const claim = await ownership.ours(this.claims, claimName(key))
    if (!claim) return
    if (graceMs === 0) return void (await client.remove(this.claims, claimName(key), { preconditions: { uid: claim.uid } }))
    const removeAfter = new Date(Date.now() + graceMs).toISOString()
    // With its uid: another claim of that name is not meant.
    await client.merge(this.claims, claimName(key), { metadata: { uid: claim.uid, labels: { [RELEASED_LABEL]: 'true' }, annotations: { [REMOVE_AFTER]: removeAfter } } })
  }

  /** An agent uses its volume again, as after a restored database: it is not let go. Throws AppError `unavailable` for somebody else's. */
  async keep(key: SandboxKey): Promise<void> {
    const { client, ownership } = this.deps
    const claim = await ownership.find('volume', this.claims, claimName(key))
    if (!claim || !(RELEASED_LABEL in claim.labels)) return
    await client.merge(this.claims, claimName(key), { metadata: { uid: claim.uid, labels: { [RELEASED_LABEL]: null }, annotations: { [REMOVE_AFTER]: null } } })
  }

  /** Makes a volume that is ours as large as is wanted now where its class lets it grow. None shrinks, and one that cannot grow stays as it is. */
  async grow(key: SandboxKey, size: string): Promise<void> {
    const { client, logger } = this.deps
    try {
      const { spec } = await client.get<{ spec?: { resources?: { requests?: { storage?: string } } } }>(`${this.claims}/${claimName(key)}`)
      if (bytesOf(size) <= bytesOf(spec?.resources?.requests?.storage ?? '0')) return
      const isThere = await client.merge(this.claims, claimName(key), { spec: { resources: { requests: { storage: size } } } })
      if (isThere) logger.info('the volume of an agent grows', { agentId: key.agentId, size })
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error
      // A first start has no volume yet; its StatefulSet makes one of the right size.
      if (error.status !== 404) logger.info('the volume of an agent stays as large as it is', { agentId: key.agentId, size, error })
    }
  }

  /** Removes the volumes whose time of grace is over; never one that a sandbox still has. */
  async sweep(now = new Date()): Promise<void> {
    const { client, settings, logger, inUse } = this.deps
    const { items } = await client.list<ApiObject>(this.claims, { labelSelector: `${RELEASED_LABEL}=true,${INSTALLATION_LABEL}=${settings.installation}` })
    for (const { metadata } of items) {
      const { name, uid, annotations, deletionTimestamp } = metadata as unknown as { name: string; uid: string; annotations?: Record<string, string>; deletionTimestamp?: string }
      const removeAfter = Date.parse(annotations?.[REMOVE_AFTER] ?? '')
      if (deletionTimestamp || !(removeAfter <= now.getTime()) || inUse(name)) continue
      await client.remove(this.claims, name, { preconditions: { uid } })
      logger.info('the volume of an agent that is gone was removed', { volume: name })
    }
  }

  private get claims(): string {
    return PATHS.claims(this.deps.settings.namespace)
  }
}
