// Makes and removes the objects of one agent. Every step may be repeated, and may run beside another replica's.
import { agentFiles, secret, service } from '../manifests/objects.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { statefulSet } from '../manifests/stateful-set.ts'
import { objectName, podName, type SandboxKey } from '../names.ts'
import type { SandboxSpec } from '../runtime.ts'
import { ApiRefusal, type KubeClient, PATHS } from './client.ts'
import type { TerminalCredentials } from './credentials.ts'
import { embeddedFiles } from './files.ts'

interface Deps {
  client: KubeClient
  settings: ClusterSettings
  credentials: TerminalCredentials
}

/** The objects of agents in the cluster. Throws ApiRefusal and ApiUnreachable. */
export class AgentObjects {
  private shared?: Promise<void>

  constructor(private readonly deps: Deps) {}

  /** Brings the objects of `spec` to where a pod of its generation comes up. `podIsGone` resolves when the present pod is. */
  async apply(spec: SandboxSpec, podIsGone: () => Promise<unknown>): Promise<void> {
    const { client, settings, credentials } = this.deps
    const { namespace } = settings
    const credential = credentials.of(spec)
    if (credential === undefined) throw new Error('the current key makes credentials')
    // The pod needs these from its first moment on.
    await Promise.all([
      this.files(),
      client.apply(PATHS.secrets(namespace), secret(spec, namespace, credential)),
      client.apply(PATHS.services(namespace), service(spec, namespace)),
    ])
    const sets = PATHS.statefulSets(namespace)
    const wanted = statefulSet(spec, settings, credentials.current)
    try {
      await client.apply(sets, wanted)
    } catch (error) {
      // Some fields of a StatefulSet cannot be changed. Its pod is replaced by this start anyway, and its volume stays.
      if (!(error instanceof ApiRefusal && error.status === 422 && error.message.includes('updates to statefulset spec'))) throw error
      await client.remove(sets, objectName(spec))
      await this.removePod(spec)
      // A StatefulSet that finds a stranger under its pod's name tries again less and less often.
      await podIsGone()
      await client.apply(sets, wanted)
    }
  }

  /** Takes the pod away; everything else stays. */
  async scaleDown(key: SandboxKey): Promise<void> {
    await this.deps.client.merge(PATHS.statefulSets(this.deps.settings.namespace), objectName(key), { spec: { replicas: 0 } })
  }

  /** Ends a pod; its StatefulSet, if there is one, makes another. */
  async removePod(key: SandboxKey): Promise<void> {
    await this.deps.client.remove(PATHS.pods(this.deps.settings.namespace), podName(key))
  }

  /** Removes everything but the volume. */
  async remove(key: SandboxKey): Promise<void> {
    const { client, settings } = this.deps
    const name = objectName(key)
    // First the one that would make a new pod.
    await client.remove(PATHS.statefulSets(settings.namespace), name)
    await Promise.all([this.removePod(key), client.remove(PATHS.services(settings.namespace), name), client.remove(PATHS.secrets(settings.namespace), name)])
  }

  // The chart brings these files. Where nobody did (a developer's cluster) they are ours; what somebody else owns stays.
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
      if (!(error instanceof ApiRefusal && error.status === 409)) throw error
    }
  }
}
