// Whether a cluster has what sandboxes need, found out before anything is made.
import type { ClusterSettings } from '../manifests/settings.ts'
import type { ClusterClasses } from '../runtime.ts'
import { type ApiObject, ApiRefusal, type KubeClient, PATHS } from './client.ts'

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'

/** A sentence with a remedy for what is missing, or undefined. What we may not look at is taken to be there. */
export async function missingPrerequisite(client: KubeClient, { namespace, volume, runtimeClass }: ClusterSettings): Promise<string | undefined> {
  if (!(await isThere(client, `/api/v1/namespaces/${namespace}`))) return `There is no namespace ${namespace} in the cluster. Make it, or set K8S_NAMESPACE to the one for agents.`
  if (runtimeClass && !(await isThere(client, `${PATHS.runtimeClasses}/${runtimeClass}`)))
    return `The cluster has no runtime class ${runtimeClass}. Correct it in the settings (or AGENT_RUNTIME_CLASS), or leave it empty.`
  if (volume.kind !== 'pvc') return undefined
  if (volume.storageClass)
    return (await isThere(client, `${PATHS.storageClasses}/${volume.storageClass}`))
      ? undefined
      : `The cluster has no storage class ${volume.storageClass}, so agents get no volume. Correct it in the settings (or AGENT_STORAGE_CLASS), or leave it empty for the default one.`
  const classes = await readable(() => client.list<ApiObject>(PATHS.storageClasses))
  const hasDefault = classes?.items.some(({ metadata }) => (metadata.annotations as Record<string, string> | undefined)?.[DEFAULT_CLASS] === 'true') ?? true
  return hasDefault
    ? undefined
    : 'The cluster has no default storage class, so agents get no volume. Name one in the settings (or AGENT_STORAGE_CLASS), or set AGENT_VOLUME=emptydir to do without: files are lost with each pod then.'
}

/** Names of the classes that the cluster has; none of a kind that we may not list. */
export async function classesOf(client: KubeClient): Promise<ClusterClasses> {
  const names = async (path: string) => (await readable(() => client.list<ApiObject>(path)))?.items.map(({ metadata }) => metadata.name).sort()
  const [storageClasses, runtimeClasses] = await Promise.all([names(PATHS.storageClasses), names(PATHS.runtimeClasses)])
  return { storageClasses, runtimeClasses }
}

async function isThere(client: KubeClient, path: string): Promise<boolean> {
  try {
    await readable(() => client.get(path))
    return true
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 404) return false
    throw error
  }
}

async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 403) return undefined
    throw error
  }
}
