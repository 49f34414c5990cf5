// One start in the cluster: makes the objects, then waits with the cache until the pod is up, and tells what holds it up.
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import { pause } from '../../lib/pause.ts'
import { type ClusterSettings, chosen } from '../manifests/settings.ts'
import { SandboxLost, type SandboxRef, type SandboxSpec, type StartProgress, Superseded } from '../runtime.ts'
import type { SandboxCache, SandboxRecord } from './cache.ts'
import { ApiRefusal, ApiUnreachable, type KubeClient } from './client.ts'
import type { AgentObjects } from './objects-of-agent.ts'
import { isUp, progressOf, stateOf } from './observed.ts'
import { missingPrerequisite } from './prerequisites.ts'
import { asAppError } from './refusals.ts'
import type { ReleasedVolumes } from './volumes.ts'

interface Deps {
  client: KubeClient
  cache: SandboxCache
  objects: AgentObjects
  volumes: ReleasedVolumes
  settings: ClusterSettings
  logger: Logger
}

type Tell = (news: StartProgress) => void

/** For so long a cluster that had everything is not looked at again. */
const COMPLETE_MS = 60_000
const RETRY_MS = 500
const LONGEST_RETRY_MS = 5000

/** Carries out starts. Throws AppError `unavailable`, Superseded, and the signal's reason. */
export class SandboxStarts {
  /** When the cluster was found to have all that sandboxes with these classes need. */
  private readonly completeAt = new Map<string, number>()

  constructor(private readonly deps: Deps) {}

  /** Resolves when the sandbox of `spec` is up; the cache must have been seen. */
  async start(spec: SandboxSpec, progress: Tell, signal: AbortSignal): Promise<void> {
    const record = this.deps.cache.record(spec)
    if (record.set?.generation === spec.generation && record.set.replicas === 1) return this.follow(spec, progress, signal)
    const since = newest(record)
    await this.insist(() => this.make(spec, signal), progress, signal)
    await this.comesUp(spec, since, progress, signal)
  }

  /** Resolves when what runs in this generation is up again. */
  async follow(ref: SandboxRef, progress: Tell, signal: AbortSignal): Promise<void> {
    // What keeps it down now is reported again and again.
    await this.comesUp(ref, newest(this.deps.cache.record(ref)), progress, signal)
  }

  private async comesUp(ref: SandboxRef, since: number, progress: Tell, signal: AbortSignal): Promise<void> {
    let told = ''
    let raw = ''
    await this.deps.cache.until(
      ref,
      (record) => {
        const { generation = 0 } = record.set ?? {}
        if (generation > ref.generation) throw new Superseded(generation)
        if (isUp(record) && generation === ref.generation) return true
        const { isLost, reason = '' } = stateOf(record)
        if (isLost && generation === ref.generation) throw new SandboxLost(reason)
        const { news, trouble } = progressOf(record, ref.generation, since)
        if (trouble && trouble.raw !== raw) this.deps.logger.warn('a sandbox has to wait', { agentId: ref.agentId, words: trouble.words, evidence: trouble.raw })
        raw = trouble?.raw ?? raw
        const text = JSON.stringify(news)
        if (text !== told) progress(news)
        told = text
        if (trouble?.final) throw new AppError('unavailable', 'sandbox_failed', trouble.words)
        return undefined
      },
      signal,
    )
    progress({ step: 'restoring', detail: this.deps.settings.volume.kind === 'pvc' ? 'The files are on its volume' : undefined })
  }

  private async make(spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    const { cache, objects, volumes, settings } = this.deps
    await this.complete(chosen(settings, spec.choices))
    const isGone = () => cache.until(spec, ({ pod }) => (pod ? undefined : true), signal)
    const { set, pod } = cache.record(spec)
    if (pod && !set) {
      await objects.removePod(spec, pod.uid)
      await isGone()
    }
    if (settings.volume.kind === 'pvc') await volumes.keep(spec)
    await objects.apply(spec, { isGone, uid: () => cache.record(spec).pod?.uid }, signal)
    const size = spec.choices?.storageSize
    if (settings.volume.kind === 'pvc' && size !== undefined) await volumes.grow(spec, size)
  }

  private async complete(settings: ClusterSettings): Promise<void> {
    const { volume, runtimeClass } = settings
    const classes = `${volume.kind === 'pvc' ? (volume.storageClass ?? '') : ''} ${runtimeClass ?? ''}`
    if (performance.now() - (this.completeAt.get(classes) ?? Number.NEGATIVE_INFINITY) < COMPLETE_MS) return
    const reason = await missingPrerequisite(this.deps.client, settings)
    if (reason) throw new AppError('unavailable', 'no_sandbox', reason)
    this.completeAt.set(classes, performance.now())
  }

  // An API that is away for a moment holds a start up; it does not fail it.
  private async insist(work: () => Promise<void>, progress: Tell, signal: AbortSignal): Promise<void> {
    for (let wait = RETRY_MS; ; wait = Math.min(LONGEST_RETRY_MS, wait * 2)) {
      signal.throwIfAborted()
      try {
        return await work()
      } catch (error) {
        if (signal.aborted) throw signal.reason
        const passes = error instanceof ApiUnreachable || (error instanceof ApiRefusal && (error.status === 409 || error.status === 429 || error.status >= 500))
        if (!passes) throw asAppError(error)
        this.deps.logger.warn('the cluster did not take a start yet', { error })
        progress({ step: 'scheduling', detail: 'The cluster’s API does not answer; it is asked again' })
        await pause(wait, signal)
      }
    }
  }
}

/** When the last thing was reported about a sandbox, by the cluster's clock. */
function newest({ events }: SandboxRecord): number {
  return Math.max(0, ...events.map(({ at }) => at))
}
