// Makes and removes the objects of one agent. Every step may be repeated, and may run beside another replica's.
import type { V1StatefulSet } from '@kubernetes/client-node'
import { agentFiles, secret, service } from '../manifests/objects.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { emptySet, statefulSet } from '../manifests/stateful-set.ts'
import { objectName, podName, type SandboxKey, secretName } from '../names.ts'
import { type SandboxRef, type SandboxSpec, Superseded } from '../runtime.ts'
import { type ApiObject, ApiRefusal, type KubeClient, PATHS } from './client.ts'
import type { TerminalCredentials } from './credentials.ts'
import { embeddedFiles } from './files.ts'
import { type Owned, type Ownership, ofGeneration, ownedOf } from './ownership.ts'

interface Deps {
  client: KubeClient
  settings: ClusterSettings
  credentials: TerminalCredentials
  ownership: Ownership
}

/** The pod that there is when a start begins. */
export interface PresentPod {
  /** Resolves when there is none any more. */
  isGone: () => Promise<unknown>
  uid: () => string | undefined
}

// The cluster itself writes into a fresh StatefulSet; after that only another starter does.
const TRIES = 6

/**
 * The objects of agents in the cluster. Throws ApiRefusal and ApiUnreachable, AppError `unavailable` for what is somebody
 * else's, and Superseded.
 *
 * The StatefulSet holds the name and the generation: it is made empty, which only one starter can, and filled last, on the
 * condition that nobody changed it meanwhile. Everything else is tied to it, so what a start still makes for an agent that
 * was deleted meanwhile goes by itself.
 */
export class AgentObjects {
  private shared?: Promise<void>

  constructor(private readonly deps: Deps) {}

  /** Brings the objects of `spec` to where a pod of its generation comes up. Its volume must be ours: it is bound by name. */
  async apply(spec: SandboxSpec, pod: PresentPod, signal: AbortSignal): Promise<void> {
    const { settings, credentials, ownership } = this.deps
    await Promise.all([this.files(), ownership.find('service', PATHS.services(settings.namespace), objectName(spec))])
    const wanted = (owner: string) => statefulSet(spec, settings, credentials.current, owner)
    for (let tries = TRIES; ; tries--) {
      signal.throwIfAborted()
      const before = (await this.present(spec)) ?? (await this.claim(wanted(''), signal))
      if (before && (await this.fill(spec, wanted(before.uid), before, pod, signal))) return
      if (tries <= 1) throw new ApiRefusal(409, 'Conflict', 'the StatefulSet changes all the time')
    }
  }

  /** Takes the pod of this start away, never that of another one; everything else stays. */
  async scaleDown(ref: SandboxRef): Promise<void> {
    const { client, settings, ownership } = this.deps
    const conditions = [ownership.condition, ofGeneration(ref.generation)]
    await client.changeIf(PATHS.statefulSets(settings.namespace), objectName(ref), conditions, [{ path: '/spec/replicas', value: 0 }])
  }

  /** Ends a pod; its StatefulSet, if there is one, makes another. */
  async removePod(key: SandboxKey, uid: string | undefined): Promise<void> {
    if (uid) await this.removeVery(PATHS.pods(this.deps.settings.namespace), podName(key), uid)
  }

  /** Removes everything but the volume; `pod` is the uid of the pod that is known. */
  async remove(key: SandboxKey, pod: string | undefined): Promise<void> {
    const { client, settings, ownership } = this.deps
    const sets = PATHS.statefulSets(settings.namespace)
    const set = await ownership.ours(sets, objectName(key))
    // First the one that would make a new pod. What is tied to it goes with it; the keys do at once.
    if (set) await this.removeVery(sets, objectName(key), set.uid)
    if (set) await client.remove(PATHS.secrets(settings.namespace), secretName({ ...key, generation: set.generation }, set.uid))
    await this.removePod(key, pod)
  }

  private async present(spec: SandboxSpec): Promise<Owned | undefined> {
    const set = await this.deps.ownership.find('sandbox', PATHS.statefulSets(this.deps.settings.namespace), objectName(spec))
    if (set && set.generation > spec.generation) throw new Superseded(set.generation)
    if (set?.isGoing) throw new ApiRefusal(409, 'Conflict', 'the StatefulSet is being deleted')
    return set
  }

  // Undefined when somebody was faster.
  private async claim(wanted: V1StatefulSet, signal: AbortSignal): Promise<Owned | undefined> {
    signal.throwIfAborted()
    const made = await this.deps.client.create<ApiObject>(PATHS.statefulSets(this.deps.settings.namespace), emptySet(wanted))
    return made && ownedOf(made)
  }

  // False when the StatefulSet is not what it was: it must be looked at again.
  private async fill(spec: SandboxSpec, wanted: V1StatefulSet, { uid, resourceVersion, generation }: Owned, pod: PresentPod, signal: AbortSignal): Promise<boolean> {
    const { client, settings } = this.deps
    const sets = PATHS.statefulSets(settings.namespace)
    // The pod needs these from its first moment on.
    await Promise.all([this.keys(spec, uid), client.apply(PATHS.services(settings.namespace), service(spec, settings, uid))])
    signal.throwIfAborted()
    try {
      await client.apply(sets, { ...wanted, metadata: { ...wanted.metadata, uid, resourceVersion } as V1StatefulSet['metadata'] })
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error
      if (error.status === 409) return false
      // Some fields of a StatefulSet cannot be changed. Its pod is replaced by this start anyway, and its volume stays.
      if (!(error.status === 422 && error.message.includes('updates to statefulset spec'))) throw error
      await this.removeVery(sets, objectName(spec), uid)
      await this.removePod(spec, pod.uid())
      // A StatefulSet that finds a stranger under its pod's name tries again less and less often.
      await pod.isGone()
      return false
    }
    if (generation > 0 && generation < spec.generation) await client.remove(PATHS.secrets(settings.namespace), secretName({ ...spec, generation }, uid))
    return true
  }

  private async keys(spec: SandboxSpec, owner: string): Promise<void> {
    const { client, settings, credentials } = this.deps
    const credential = credentials.of(spec)
    if (credential === undefined) throw new Error('the current key makes credentials')
    // One that is there is of an earlier try: we need no right to read or to change any.
    await client.create(PATHS.secrets(settings.namespace), secret(spec, settings, credential, owner))
  }

  // False when another one of the same name is there by now.
  private async removeVery(path: string, name: string, uid: string): Promise<boolean> {
    try {
      return await this.deps.client.remove(path, name, { preconditions: { uid } })
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 409) return false
      throw error
    }
  }

  // The chart brings these files. Where nobody did (a developer's cluster) they are ours; what somebody else owns, or does not
  // let us touch, stays.
  private files(): Promise<void> {
    this.shared ??= this.applyFiles().catch((error: unknown) => {
      this.shared = undefined
      throw error
    })
    return this.shared
  }

  private async applyFiles(): Promise<void> {
    const { client, settings } = this.deps
    try {
      await client.apply(PATHS.configMaps(settings.namespace), agentFiles(embeddedFiles, settings.namespace), { force: false })
    } catch (error) {
      if (!(error instanceof ApiRefusal && (error.status === 409 || error.status === 403))) throw error
    }
  }
}
