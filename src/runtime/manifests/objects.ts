// The small objects beside a sandbox's StatefulSet: Service, Secret, and the files that all sandboxes share. Pure.
import type { V1ConfigMap, V1OwnerReference, V1Secret, V1Service } from '@kubernetes/client-node'
import { CLI_ENVIRONMENT } from '../cli-environment.ts'
import { homeSeeds } from '../home-seeds.ts'
import { labelsOf, MANAGER, objectName, type SandboxKey, secretName, selectorOf, TERMINAL_PORT } from '../names.ts'
import type { SandboxSpec } from '../runtime.ts'
import type { ClusterSettings } from './settings.ts'

export const FILES_NAME = 'sac-agent-files'
/** Prefix of the Secret's keys that become variables of the CLI. */
export const VARIABLE_PREFIX = 'env.'

const BASE_ENVIRONMENT: Record<string, string> = {
  ...CLI_ENVIRONMENT,
  PATH: '/home/agent/.local/bin:/usr/local/bin:/usr/bin:/bin',
}
const OURS = { HOME: '/home/agent', SAC_SOCKET: '/run/sac/sidecar.sock' }

/** Everything that the CLI finds in its environment, by name. */
export function cliVariables(spec: SandboxSpec): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...BASE_ENVIRONMENT, ...spec.environment, ...OURS }).sort(([a], [b]) => (a < b ? -1 : 1)))
}

type Place = Pick<ClusterSettings, 'namespace' | 'installation'>

/** Ties an object to the StatefulSet of its agent: the cluster removes the one with the other. */
export function ownedBy(key: SandboxKey, uid: string): V1OwnerReference {
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', name: objectName(key), uid }
}

/** The headless Service that gives the pod its stable name, from its first moment on. `owner` is the uid of the StatefulSet. */
export function service(key: SandboxKey, { namespace, installation }: Place, owner: string): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: objectName(key), namespace, labels: labelsOf(key, installation), ownerReferences: [ownedBy(key, owner)] },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selectorOf(key, installation),
      ports: [{ name: 'terminal', port: TERMINAL_PORT, targetPort: 'terminal', protocol: 'TCP' }],
    },
  }
}

/** The sandbox token, the terminal's credential, what the home is seeded with, and the CLI's variables, of one start. */
export function secret(spec: SandboxSpec, { namespace, installation }: Place, credential: string, owner: string): V1Secret {
  const variables = Object.entries(cliVariables(spec)).map(([name, value]) => [`${VARIABLE_PREFIX}${name}`, base64(value)])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName(spec, owner), namespace, labels: labelsOf(spec, installation), ownerReferences: [ownedBy(spec, owner)] },
    type: 'Opaque',
    immutable: true,
    data: {
      token: base64(spec.sandboxToken),
      credential: base64(credential),
      'home.json': base64(JSON.stringify({ theme: spec.theme, seeds: homeSeeds('/workspace') })),
      'CLAUDE.md': base64(spec.claudeMd),
      ...Object.fromEntries(variables),
    },
  }
}

/** The scripts and settings that every sandbox mounts. */
export function agentFiles(files: Record<string, string>, namespace: string): V1ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: FILES_NAME, namespace, labels: { 'app.kubernetes.io/managed-by': MANAGER } }, data: files }
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}
