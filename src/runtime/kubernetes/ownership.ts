// Whose an object of the cluster is. Nothing of another installation is taken over, and nothing that nobody marked.
import { AppError } from '../../lib/errors.ts'
import type { ClusterSettings } from '../manifests/settings.ts'
import { GENERATION, INSTALLATION_LABEL } from '../names.ts'
import { type ApiObject, ApiRefusal, type Field, type KubeClient } from './client.ts'

/** An object that is ours. */
export interface Owned {
  uid: string
  resourceVersion: string
  /** The start that it belongs to; 0 where it belongs to none. */
  generation: number
  labels: Record<string, string>
  isGoing: boolean
}

interface Meta {
  uid?: string
  resourceVersion?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  deletionTimestamp?: string
}

/** Kinds of objects by the words that users know them by. */
export type Kind = 'sandbox' | 'volume' | 'service'

/** The same, as kubectl names them. */
const RESOURCES: Record<Kind, string> = { sandbox: 'statefulset', volume: 'pvc', service: 'service' }

/** Tells our objects from those of others that share the namespace. */
export class Ownership {
  constructor(private readonly deps: { client: KubeClient; settings: Pick<ClusterSettings, 'namespace' | 'installation'> }) {}

  /** What is ours of that name; undefined when there is none. Throws AppError `unavailable` for somebody else's. */
  async find(kind: Kind, path: string, name: string): Promise<Owned | undefined> {
    const object = await this.read(path, name)
    if (!object) return undefined
    if (!this.isOurs(object)) throw this.foreign(kind, name, object)
    return ownedOf(object)
  }

  /** What is ours of that name; undefined when there is none and when it is somebody else's. */
  async ours(path: string, name: string): Promise<Owned | undefined> {
    const object = await this.read(path, name)
    return object && this.isOurs(object) ? ownedOf(object) : undefined
  }

  /** That an object is ours, as a condition of a change. */
  get condition(): Field {
    return { path: `/metadata/labels/${pointer(INSTALLATION_LABEL)}`, value: this.deps.settings.installation }
  }

  // The refusal to touch an object of somebody else.
  private foreign(kind: Kind, name: string, object: ApiObject): AppError {
    const { namespace, installation } = this.deps.settings
    const mark = metaOf(object).labels?.[INSTALLATION_LABEL]
    const there = `${kind} ${namespace}/${name}`
    // It may hold files: nobody is told to remove it.
    const [words, raw] = mark
      ? [
          `Another installation uses this name in the namespace ${namespace}: it has a ${kind} called ${name}. Ask an admin to give this portal a namespace of its own.`,
          `${there} has the label ${INSTALLATION_LABEL}=${mark}; this installation is ${installation}`,
        ]
      : [
          `The namespace ${namespace} has a ${kind} called ${name} without the mark of any installation. Nothing of it was changed. Ask an admin whose it is: if it is this agent’s, of an earlier version, one label makes it usable again.`,
          `${there} has no label ${INSTALLATION_LABEL}. If it is this portal’s: kubectl label ${RESOURCES[kind]} -n ${namespace} ${name} ${INSTALLATION_LABEL}=${installation}`,
        ]
    return new AppError('unavailable', 'foreign_object', words, { cause: new Error(raw) })
  }

  private isOurs(object: ApiObject): boolean {
    return metaOf(object).labels?.[INSTALLATION_LABEL] === this.deps.settings.installation
  }

  private async read(path: string, name: string): Promise<ApiObject | undefined> {
    try {
      return await this.deps.client.get(`${path}/${name}`)
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 404) return undefined
      throw error
    }
  }
}

/** That an object belongs to this start and to no newer one, as a condition of a change. */
export function ofGeneration(generation: number): Field {
  return { path: `/metadata/annotations/${pointer(GENERATION)}`, value: String(generation) }
}

/** The facts that decide about an object of ours. */
export function ownedOf(object: ApiObject): Owned {
  const { uid = '', resourceVersion = '', labels = {}, annotations, deletionTimestamp } = metaOf(object)
  return { uid, resourceVersion, labels, generation: Number(annotations?.[GENERATION] ?? 0), isGoing: deletionTimestamp !== undefined }
}

function metaOf(object: ApiObject): Meta {
  return object.metadata as Meta
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
