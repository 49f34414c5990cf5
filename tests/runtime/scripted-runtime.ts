// The Kubernetes runtime over a scripted API server, with the settings of an operator who chose nothing in particular.
import { silentLogger } from '../../src/lib/logger.ts'
import { KubernetesRuntime, type KubernetesRuntimeOptions } from '../../src/runtime/kubernetes/adapter.ts'
import type { SandboxSpec } from '../../src/runtime/runtime.ts'
import type { ScriptedApi } from './scripted-api.ts'
import { NAMESPACE } from './scripted-controller.ts'

interface Changes extends Partial<Omit<KubernetesRuntimeOptions, 'settings' | 'access'>> {
  settings?: Partial<KubernetesRuntimeOptions['settings']>
}

/** A runtime on this API; what is given takes the place of the usual. */
export function scriptedRuntime(api: ScriptedApi, { settings, ...changes }: Changes = {}): KubernetesRuntime {
  return new KubernetesRuntime({
    access: api.access,
    terminals: 'direct',
    clusterDomain: 'cluster.local',
    resolve: async () => ['127.0.0.1'],
    volumeGraceMs: 0,
    secretKeys: ['0'.repeat(64)],
    logger: silentLogger,
    ...changes,
    settings: {
      installation: 'i',
      namespace: NAMESPACE,
      agentImage: 'agent:1',
      sidecarImage: 'sidecar:1',
      pullPolicy: 'IfNotPresent',
      pullSecrets: [],
      volume: { kind: 'pvc', size: '1Gi' },
      egress: 'none',
      ...settings,
    },
  })
}

/** A start in which nothing but whose and which matters. */
export function scriptedSpec(ref: Pick<SandboxSpec, 'userId' | 'agentId' | 'birth' | 'generation'>): SandboxSpec {
  const resources = { cpuLimit: 1, memoryLimitBytes: 1024 ** 3, pidsLimit: 64 }
  return { ...ref, environment: {}, resources, claudeMd: '', sandboxToken: `token-${ref.generation}`, internalUrl: 'http://127.0.0.1:9', theme: 'dark' }
}
