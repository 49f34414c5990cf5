// The small objects beside a sandbox's StatefulSet: Service, Secret, and the files that all sandboxes share. Pure.
import type { V1ConfigMap, V1Secret, V1Service } from '@kubernetes/client-node'
import { CLI_ENVIRONMENT } from '../cli-environment.ts'
import { homeSeeds } from '../home-seeds.ts'
import { labelsOf, MANAGER, objectName, type SandboxKey, selectorOf, TERMINAL_PORT } from '../names.ts'
import type { SandboxSpec } from '../runtime.ts'

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

/** The headless Service that gives the pod its stable name, from its first moment on. */
export function service(key: SandboxKey, namespace: string): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: objectName(key), namespace, labels: labelsOf(key) },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selectorOf(key),
      ports: [{ name: 'terminal', port: TERMINAL_PORT, targetPort: 'terminal', protocol: 'TCP' }],
    },
  }
}

/** The sandbox token, the terminal's credential, what the home is seeded with, and the CLI's variables. */
export function secret(spec: SandboxSpec, namespace: string, credential: string): V1Secret {
  const variables = Object.entries(cliVariables(spec)).map(([name, value]) => [`${VARIABLE_PREFIX}${name}`, base64(value)])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: objectName(spec), namespace, labels: labelsOf(spec) },
    type: 'Opaque',
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
