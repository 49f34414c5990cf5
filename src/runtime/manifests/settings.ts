// Whose the sandboxes of a cluster are, what an operator decides about all of them, and what the portal's settings choose instead. Pure.
import type { ClusterChoices } from '../runtime.ts'

/** Which way out a sandbox's network has; the policies behind the words are the chart's. */
export const EGRESS_PRESETS = ['none', 'model', 'internet'] as const
export type EgressPreset = (typeof EGRESS_PRESETS)[number]

export interface ClusterSettings {
  /** Id of the installation, from its database; on everything that it makes. */
  installation: string
  /** Namespace of the agents. */
  namespace: string
  agentImage: string
  sidecarImage: string
  pullPolicy: 'IfNotPresent' | 'Always' | 'Never'
  pullSecrets: string[]
  /** `emptydir` loses everything with the pod and is an operator's explicit choice. */
  volume: { kind: 'pvc'; size: string; storageClass?: string } | { kind: 'emptydir' }
  runtimeClass?: string
  egress: EgressPreset
  /** `host:port` that no sandbox may reach, by which each one proves that its network is closed. */
  closedAddress?: string
}

/** The operator's settings with what was chosen laid over them. */
export function chosen(settings: ClusterSettings, { image, storageSize, storageClass, runtimeClass }: ClusterChoices = {}): ClusterSettings {
  const { volume } = settings
  return {
    ...settings,
    agentImage: image || settings.agentImage,
    runtimeClass: (runtimeClass ?? settings.runtimeClass) || undefined,
    volume: volume.kind === 'pvc' ? { kind: 'pvc', size: storageSize ?? volume.size, storageClass: (storageClass ?? volume.storageClass) || undefined } : volume,
  }
}
