// All sandboxes of the installation in memory: one watch each of StatefulSets, pods and events serves every question.
import type { Logger } from '../../lib/logger.ts'
import { keyOfName, objectName, type SandboxKey, sandboxesOf } from '../names.ts'
import { type ApiObject, type KubeClient, PATHS } from './client.ts'
import { RecentEvents } from './events.ts'
import { type EventView, type PodView, podView, type RawEvent, type RawPod, type RawSet, type SetView, setView } from './objects.ts'
import { CollectionWatch } from './watch.ts'

/** What the cluster shows of one sandbox. */
export interface SandboxRecord {
  key: SandboxKey
  set?: SetView
  pod?: PodView
  /** Newest last. */
  events: readonly EventView[]
}

type Listener = (key: SandboxKey) => void

/** The cache. Reads never call the API; what they tell is at most as old as `staleMs`. */
export class SandboxCache {
  private readonly sets = new Map<string, SetView>()
  private readonly pods = new Map<string, PodView>()
  private readonly events = new RecentEvents()
  private readonly listeners = new Set<Listener>()
  private readonly waiting = new Map<string, Set<() => void>>()
  private readonly watches: CollectionWatch<ApiObject>[]

  constructor({ client, namespace, installation, logger }: { client: KubeClient; namespace: string; installation: string; logger: Logger }) {
    const mine = { labelSelector: sandboxesOf(installation) }
    const nameOf = ({ metadata }: ApiObject) => metadata.name
    const watch = <T extends ApiObject>(path: string, query: Record<string, string>, sink: ConstructorParameters<typeof CollectionWatch<T>>[0]['sink']) =>
      new CollectionWatch<T>({ client, path, query, logger, sink }) as unknown as CollectionWatch<ApiObject>
    this.watches = [
      watch<RawSet>(PATHS.statefulSets(namespace), mine, this.views(this.sets, nameOf, setView)),
      watch<RawPod>(PATHS.pods(namespace), mine, this.views(this.pods, nameOf, podView)),
      watch<RawEvent>(
        PATHS.events(namespace),
        {},
        {
          replace: (items) => {
            for (const name of this.events.replace(items)) this.changed(name)
          },
          put: (item) => this.changed(this.events.put(item)),
          gone: (item) => this.changed(this.events.gone(item)),
        },
      ),
    ]
  }

  /** Resolves when StatefulSets and pods have been seen once. Events only add words. */
  async ready(): Promise<void> {
    await Promise.all(this.watches.slice(0, 2).map((watch) => watch.seen))
  }

  /** How long the view has been out of touch with the cluster; 0 while it is live. */
  get staleMs(): number {
    return Math.max(...this.watches.slice(0, 2).map((watch) => watch.staleMs))
  }

  /** Whether everything is in view at this moment, events as well. */
  get isWhole(): boolean {
    return this.watches.every((watch) => watch.isInTouch)
  }

  record({ userId, agentId }: SandboxKey): SandboxRecord {
    const name = objectName({ userId, agentId })
    return { key: { userId, agentId }, set: this.sets.get(name), pod: this.pods.get(name), events: this.events.of(name) }
  }

  /** Every sandbox of which there is a StatefulSet or a pod. */
  records(): SandboxRecord[] {
    return [...new Set([...this.sets.keys(), ...this.pods.keys()])].flatMap((name) => {
      const key = keyOfName(name)
      return key ? [this.record(key)] : []
    })
  }

  /** Calls back after each change of a sandbox. Returns the way to unsubscribe. */
  onChange(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Resolves with what `look` finds, now or after a later change; rejects with the signal's reason. */
  until<T>(key: SandboxKey, look: (record: SandboxRecord) => T | undefined, signal: AbortSignal): Promise<T> {
    const name = objectName(key)
    return new Promise((resolve, reject) => {
      const end = () => {
        signal.removeEventListener('abort', aborted)
        const others = this.waiting.get(name)
        others?.delete(check)
        if (others?.size === 0) this.waiting.delete(name)
      }
      const aborted = () => {
        end()
        reject(signal.reason)
      }
      const check = () => {
        try {
          const found = look(this.record(key))
          if (found === undefined) return
          end()
          resolve(found)
        } catch (error) {
          end()
          reject(error)
        }
      }
      this.waiting.set(name, (this.waiting.get(name) ?? new Set()).add(check))
      signal.addEventListener('abort', aborted)
      if (signal.aborted) aborted()
      else check()
    })
  }

  [Symbol.dispose](): void {
    for (const watch of this.watches) watch[Symbol.dispose]()
    this.listeners.clear()
  }

  private views<Raw extends ApiObject, View>(into: Map<string, View>, nameOf: (raw: Raw) => string, view: (raw: Raw) => View) {
    const known = (raw: Raw) => {
      const key = keyOfName(nameOf(raw))
      return key && objectName(key)
    }
    const put = (raw: Raw, name = known(raw)) => {
      if (name) into.set(name, view(raw))
      return name
    }
    return {
      replace: (items: Raw[]) => {
        const before = new Set(into.keys())
        into.clear()
        for (const item of items) before.add(put(item) ?? '')
        for (const name of before) this.changed(name)
      },
      put: (raw: Raw) => this.changed(put(raw)),
      gone: (raw: Raw) => {
        const name = known(raw)
        if (name) into.delete(name)
        if (name && !this.sets.has(name) && !this.pods.has(name)) this.events.forget(name)
        this.changed(name)
      },
    }
  }

  private changed(name: string | undefined): void {
    const key = name ? keyOfName(name) : undefined
    if (!name || !key) return
    for (const check of [...(this.waiting.get(name) ?? [])]) check()
    for (const listener of this.listeners) listener(key)
  }
}
