// CPU and memory of all sandboxes from the cluster's metrics, in one call for everybody who asks.
import type { Logger } from '../../lib/logger.ts'
import { bytesOf, coresOf } from '../../lib/quantities.ts'
import { AGENT_CONTAINER, keyOfName, objectName, type SandboxKey, sandboxesOf } from '../names.ts'
import type { Metrics, SandboxUsage } from '../runtime.ts'
import { ApiRefusal, type KubeClient, PATHS } from './client.ts'

// Clusters measure each 15 s or less often.
const READ_EVERY_MS = 10_000
const WITHOUT_METRICS_MS = 60_000
const OUTDATED_MS = 60_000

interface PodMetrics {
  metadata: { name: string }
  containers: { name: string; usage: { cpu: string; memory: string } }[]
}

/**
 * Reads metrics when asked, at most every ten seconds; a cluster without metrics is asked once a minute. Nobody waits for a
 * reading: who asks gets the last one, so that slow metrics never hold up a page.
 */
export class ClusterUsage {
  private readonly known = new Map<string, { cores: number; bytes: number }>()
  private found: Metrics = { kind: 'pending' }
  private readAt = Number.NEGATIVE_INFINITY
  private nextRead = Number.NEGATIVE_INFINITY
  private isReading = false

  constructor(private readonly deps: { client: KubeClient; namespace: string; installation: string; logger: Logger }) {}

  /** Whether the cluster gives metrics, as far as was found out. */
  get metrics(): Metrics {
    this.look()
    return this.found
  }

  /** What a sandbox uses of its limits; undefined without metrics, and until it was measured. */
  of(key: SandboxKey, limits: { cpuLimit: number; memoryLimitBytes: number }): SandboxUsage | undefined {
    this.look()
    const used = performance.now() - this.readAt < OUTDATED_MS ? this.known.get(objectName(key)) : undefined
    if (!used) return undefined
    return { cpuPercent: percent(used.cores, limits.cpuLimit), memoryBytes: used.bytes, memoryPercent: percent(used.bytes, limits.memoryLimitBytes) }
  }

  private look(): void {
    if (this.isReading || performance.now() < this.nextRead) return
    this.isReading = true
    void this.read().finally(() => {
      this.isReading = false
    })
  }

  private async read(): Promise<void> {
    const { client, namespace, installation, logger } = this.deps
    this.nextRead = performance.now() + READ_EVERY_MS
    try {
      const { items } = await client.list<PodMetrics>(PATHS.podMetrics(namespace), { labelSelector: sandboxesOf(installation) })
      this.known.clear()
      for (const { metadata, containers } of items) {
        const key = keyOfName(metadata.name)
        const usage = containers.find(({ name }) => name === AGENT_CONTAINER)?.usage
        if (key && usage) this.known.set(objectName(key), { cores: coresOf(usage.cpu), bytes: bytesOf(usage.memory) })
      }
      this.readAt = performance.now()
      this.found = { kind: 'here' }
    } catch (error) {
      const before = this.found.kind
      this.found = whyWithout(error)
      if (this.found.kind !== 'unreachable') this.nextRead = performance.now() + WITHOUT_METRICS_MS
      if (this.found.kind !== before) logger.info('the cluster gives no metrics', { kind: this.found.kind, error })
    }
  }
}

// Where the aggregated API's own server is away, its proxy answers 503; where nothing is registered, 404.
function whyWithout(error: unknown): Metrics {
  const evidence = error instanceof Error ? error.message : String(error)
  if (!(error instanceof ApiRefusal)) return { kind: 'unreachable', evidence }
  if (error.status === 404) return { kind: 'missing', evidence }
  return { kind: error.status === 401 || error.status === 403 ? 'forbidden' : 'unreachable', evidence }
}

function percent(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.round((part / whole) * 100)) : 0
}
