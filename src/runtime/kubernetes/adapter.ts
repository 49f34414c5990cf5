// The Kubernetes runtime: each agent is a StatefulSet of one pod or none. Reads come from the cache, writes go to the API.
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { claimOf, objectName, podName, type SandboxKey, TERMINAL_PORT } from '../names.ts'
import type {
  ClusterClasses,
  FilesOwner,
  Metrics,
  Runtime,
  SandboxDetails,
  SandboxRef,
  SandboxSpec,
  SandboxState,
  SandboxUsage,
  StartProgress,
  TerminalAddress,
} from '../runtime.ts'
import type { ClusterAccess } from './access.ts'
import { SandboxCache, type SandboxRecord } from './cache.ts'
import { ApiRefusal, KubeClient, PATHS } from './client.ts'
import { TerminalCredentials } from './credentials.ts'
import { LostPods } from './lost-pods.ts'
import { AgentObjects } from './objects-of-agent.ts'
import { detailsOf, isUp, stateOf } from './observed.ts'
import { Ownership } from './ownership.ts'
import { PodAddresses, type Resolve } from './pod-address.ts'
import { PortForwards } from './port-forward.ts'
import { classesOf, missingPrerequisite } from './prerequisites.ts'
import { asAppError, spoken, unreachable } from './refusals.ts'
import { SandboxStarts } from './start.ts'
import { ClusterUsage } from './usage.ts'
import { type PresentAgent, ReleasedVolumes } from './volumes.ts'

export interface KubernetesRuntimeOptions {
  access: ClusterAccess
  settings: ClusterSettings
  /** How terminals are dialled: straight to the pod, or from outside through the cluster's API. */
  terminals: 'direct' | 'portforward'
  /** Domain of the cluster's own names. */
  clusterDomain: string
  /** Asks the cluster's DNS; the system's name servers unless given. */
  resolve?: Resolve
  /** How long the volume of a deleted agent is kept. */
  volumeGraceMs: number
  /** The installation's secret keys. */
  secretKeys: readonly string[]
  logger: Logger
}

const FIRST_LOOK_MS = 5000
const LOOK_EVERY_MS = 10_000

/** Runs sandboxes in a cluster. */
export class KubernetesRuntime implements Runtime {
  readonly kind = 'kubernetes'
  readonly sleepsWhenIdle: boolean
  readonly hasImages = true
  private readonly client: KubeClient
  private readonly cache: SandboxCache
  private readonly credentials: TerminalCredentials
  private readonly objects: AgentObjects
  private readonly starts: SandboxStarts
  private readonly meter: ClusterUsage
  private readonly volumes: ReleasedVolumes
  private readonly forwards: PortForwards
  private readonly addresses: PodAddresses
  private readonly listeners = new Set<(state: SandboxState) => void>()
  private readonly told = new Map<string, string>()
  /** Whether the cluster has refused to say where a pod is. */
  private mayNotLook = false
  private readonly clock: ReturnType<typeof setInterval>

  constructor(private readonly options: KubernetesRuntimeOptions) {
    const { access, settings, secretKeys, volumeGraceMs: graceMs, logger } = options
    const { namespace, volume } = settings
    // Without a volume sleeping would erase everything.
    this.sleepsWhenIdle = volume.kind === 'pvc'
    this.client = new KubeClient(access)
    const deps = { client: this.client, namespace, logger }
    this.credentials = new TerminalCredentials(secretKeys)
    this.cache = new SandboxCache({ ...deps, installation: settings.installation })
    const ownership = new Ownership({ client: this.client, settings })
    this.objects = new AgentObjects({ client: this.client, settings, credentials: this.credentials, ownership })
    this.meter = new ClusterUsage({ ...deps, installation: settings.installation })
    const inUse = (claim: string) => this.cache.records().some(({ key, set }) => set?.volume !== undefined && claimOf(key, set.volume) === claim)
    this.volumes = new ReleasedVolumes({ client: this.client, settings, ownership, graceMs, inUse, logger })
    this.starts = new SandboxStarts({ client: this.client, cache: this.cache, objects: this.objects, volumes: this.volumes, settings, logger })
    this.forwards = new PortForwards(deps)
    this.addresses = new PodAddresses({ namespace, clusterDomain: options.clusterDomain, resolve: options.resolve, hasAddress: (key, ip) => this.hasAddress(key, ip) })
    const lost = new LostPods({ ...deps, cache: this.cache })
    this.cache.onChange((key) => this.tell(key))
    this.clock = setInterval(() => void lost.free(), LOOK_EVERY_MS)
    this.clock.unref?.()
  }

  async probe(): ReturnType<Runtime['probe']> {
    const { settings } = this.options
    try {
      await this.client.list(PATHS.statefulSets(settings.namespace), { labelSelector: 'sac.dev/none=true' })
      const reason = await missingPrerequisite(this.client, settings)
      if (reason) return { ok: false, reason }
      return settings.volume.kind === 'pvc' ? { ok: true } : { ok: true, warning: 'Agents have no volumes: their files are lost when their sandboxes end.' }
    } catch (error) {
      return { ok: false, reason: asAppError(error).message }
    }
  }

  async start(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    progress({ step: 'scheduling' })
    await this.seen()
    await this.starts.start(spec, progress, signal)
  }

  async follow(ref: SandboxRef, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    await this.starts.follow(ref, progress, signal)
  }

  async stop(ref: SandboxRef): Promise<void> {
    await spoken(() => this.objects.scaleDown(ref))
  }

  async remove(owner: FilesOwner): Promise<void> {
    await spoken(async () => {
      await this.objects.remove(owner, this.cache.record(owner).pod?.uid)
      await this.volumes.release(owner)
    })
  }

  async sweep(present: PresentAgent): Promise<void> {
    // What sandboxes have is told by the view.
    await this.seen()
    await spoken(() => this.volumes.sweep(present))
  }

  async disown(key: SandboxKey): Promise<void> {
    await spoken(() => this.objects.remove(key, this.cache.record(key).pod?.uid))
  }

  async list(): Promise<SandboxState[]> {
    await this.seen()
    return this.cache.records().map(stateOf)
  }

  async state(key: SandboxKey): Promise<SandboxState> {
    await this.seen()
    return stateOf(this.cache.record(key))
  }

  async usage(key: SandboxKey): Promise<SandboxUsage | undefined> {
    const { set } = this.cache.record(key)
    return set ? this.meter.of(key, set) : undefined
  }

  metrics(): Metrics {
    return this.meter.metrics
  }

  inspect(key: SandboxKey): SandboxDetails {
    return detailsOf(this.cache.record(key))
  }

  /**
   * The pod is found by its stable DNS name at each dial, and only while it is up; no address is kept. ttyd refuses whoever
   * does not bring this start's credential.
   */
  async terminal(key: SandboxKey): Promise<TerminalAddress> {
    const up = () => {
      const record = this.cache.record(key)
      return isUp(record) ? record.pod : undefined
    }
    const pod = up()
    if (!pod) throw new AppError('unavailable', 'not_running', 'This agent does not run. Start it first.')
    const credential = this.credentials.of({ ...key, generation: pod.generation }, pod.credentialKey)
    if (!credential) throw new AppError('unavailable', 'credential_unknown', 'The key of this agent’s terminal is not among SECRET_KEYS any more. Restart the agent.')
    if (this.options.terminals === 'portforward') return { kind: 'ttyd', url: `ws://127.0.0.1:${this.forwards.port(key)}/ws`, credential }
    const host = await this.addresses.find(key, () => {
      const ip = up()?.ip
      return ip === undefined ? undefined : { ip, isLive: this.cache.staleMs === 0 }
    })
    return { kind: 'ttyd', url: `ws://${host}:${TERMINAL_PORT}/ws`, credential }
  }

  private async hasAddress(key: SandboxKey, ip: string): Promise<boolean> {
    try {
      const { status } = await this.client.get<{ status?: { podIP?: string; phase?: string } }>(`${PATHS.pods(this.options.settings.namespace)}/${podName(key)}`)
      return status?.phase === 'Running' && status.podIP === ip
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 403 && !this.mayNotLook) {
        this.mayNotLook = true
        this.options.logger.warn('the portal may not get pods: after an agent has moved, its terminal waits for the DNS. Give its Role the verb get on pods, as the chart does', {
          error,
        })
      }
      throw error
    }
  }

  async classes(): Promise<ClusterClasses> {
    return spoken(() => classesOf(this.client))
  }

  watch(listener: (state: SandboxState) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Lets go of the views; sandboxes go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.clock)
    this.cache[Symbol.dispose]()
    this.forwards[Symbol.dispose]()
    this.listeners.clear()
  }

  /** Nothing is told about sandboxes before they were seen: an empty view would look like an empty cluster. */
  private async seen(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(unreachable()), FIRST_LOOK_MS)
    })
    await Promise.race([this.cache.ready(), late]).finally(() => clearTimeout(timer))
  }

  // Once for each thing that there is to tell about a sandbox, however many fields of its objects move.
  private tell(key: SandboxKey): void {
    const record: SandboxRecord = this.cache.record(key)
    const name = objectName(key)
    const state = stateOf(record)
    const text = `${state.phase} ${state.generation} ${record.pod?.uid ?? ''} ${record.pod?.agent?.restarts ?? 0}`
    const isKnown = record.set !== undefined || record.pod !== undefined
    // Old events tell about agents that have long gone.
    if (this.told.get(name) === text || (!isKnown && !this.told.has(name))) return
    if (isKnown) this.told.set(name, text)
    else this.told.delete(name)
    for (const listener of this.listeners) listener(state)
  }
}
