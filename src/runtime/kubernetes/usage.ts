// CPU and memory of all sandboxes from the cluster's metrics, in one call for everybody who asks.
import type { Logger } from '../../lib/logger.ts'
import { AGENT_CONTAINER, keyOfName, objectName, SANDBOX_SELECTOR, type SandboxKey } from '../names.ts'
import type { SandboxUsage } from '../runtime.ts'
import { ApiRefusal, type KubeClient, PATHS } from './client.ts'
import { bytesOf, coresOf } from './quantities.ts'

// Clusters measure each 15 s or less often.
const READ_EVERY_MS = 10_000
const WITHOUT_METRICS_MS = 60_000
const OUTDATED_MS = 60_000

interface PodMetrics {
  metadata: { name: string }
  containers: { name: string; usage: { cpu: string; memory: string } }[]
}

/** Reads metrics when asked, at most every ten seconds; a cluster without metrics is asked once a minute. */
export class ClusterUsage {
  private readonly known = new Map<string, { cores: number; bytes: number }>()
  private readAt = Number.NEGATIVE_INFINITY
  private nextRead = Number.NEGATIVE_INFINITY
  private reading?: Promise<void>

  constructor(private readonly deps: { client: KubeClient; namespace: string; logger: Logger }) {}

  /** What a sandbox uses of its limits; undefined without metrics. */
  async of(key: SandboxKey, limits: { cpuLimit: number; memoryLimitBytes: number }): Promise<SandboxUsage | undefined> {
    if (performance.now() >= this.nextRead) {
      this.reading ??= this.read().finally(() => {
        this.reading = undefined
      })
      await this.reading
    }
    const used = performance.now() - this.readAt < OUTDATED_MS ? this.known.get(objectName(key)) : undefined
    if (!used) return undefined
    const percent = (part: number, whole: number) => (whole > 0 ? Math.min(100, Math.round((part / whole) * 100)) : 0)
    return { cpuPercent: percent(used.cores, limits.cpuLimit), memoryBytes: used.bytes, memoryPercent: percent(used.bytes, limits.memoryLimitBytes) }
  }

  private async read(): Promise<void> {
    const { client, namespace, logger } = this.deps
    this.nextRead = performance.now() + READ_EVERY_MS
    try {
      const { items } = await client.list<PodMetrics>(PATHS.podMetrics(namespace), { labelSelector: SANDBOX_SELECTOR })
      this.known.clear()
      for (const { metadata, containers } of items) {
        const key = keyOfName(metadata.name)
        const usage = containers.find(({ name }) => name === AGENT_CONTAINER)?.usage
        if (key && usage) this.known.set(objectName(key), { cores: coresOf(usage.cpu), bytes: bytesOf(usage.memory) })
      }
      this.readAt = performance.now()
    } catch (error) {
      if (error instanceof ApiRefusal) this.nextRead = performance.now() + WITHOUT_METRICS_MS
      logger.debug('the cluster gives no metrics', { error })
    }
  }
}
