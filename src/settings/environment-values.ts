// The operator's environment as values of settings. Pure.
import type { Config } from '../config.ts'
import type { EnvironmentValues } from './keys.ts'

/** What the operator configured for agents in a cluster holds until an admin sets something else. */
export function environmentValues({ cluster }: Config): EnvironmentValues {
  if (!cluster) return {}
  const { agentImage, runtimeClass, volume } = cluster
  const ofVolume = volume.kind === 'pvc' ? { agent_storage_size: volume.size, agent_storage_class: volume.storageClass } : {}
  return { docker_image: agentImage, agent_runtime_class: runtimeClass, ...ofVolume }
}
