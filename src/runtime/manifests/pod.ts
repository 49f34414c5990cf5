// The pod of a sandbox: two containers with as few rights as they can do with. Pure.
import type { V1Container, V1EnvVar, V1PodSpec, V1ResourceRequirements, V1SecurityContext, V1Volume, V1VolumeMount } from '@kubernetes/client-node'
import { bytesOf, coresOf } from '../../lib/quantities.ts'
import { AGENT_CONTAINER, SIDECAR_CONTAINER, TERMINAL_PORT, volumeName } from '../names.ts'
import type { SandboxSpec } from '../runtime.ts'
import { cliVariables, FILES_NAME, VARIABLE_PREFIX } from './objects.ts'
import type { ClusterSettings } from './settings.ts'

/** User and group of both containers: what the agent's programs write for themselves alone must be readable to the mirror. */
const AGENT_ID = 10001
const FILES = '/opt/sac/agent'
const TOKEN_FOLDER = '/run/secrets/sac'
/** Long enough for the CLI to end by itself and for the last files to be sent. */
const GRACE_S = 15
/** How long a pod stays bound to a node that does not answer. */
const LOST_NODE_S = 30
const READ_ONLY = 0o444
const OWNER_ONLY = 0o400
const PROGRAM = 0o555

/** Of the agent's container, unless chosen otherwise. */
const AGENT_DEFAULTS = { cpuRequest: '250m', memoryRequest: '512Mi', ephemeralStorageLimit: '10Gi' }
const AGENT_STORAGE_REQUEST = '256Mi'
const SIDECAR_RESOURCES = { requests: { cpu: '20m', memory: '48Mi', 'ephemeral-storage': '16Mi' }, limits: { cpu: '500m', memory: '160Mi', 'ephemeral-storage': '64Mi' } }

const CONTAINER_SECURITY: V1SecurityContext = { allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }

/** Spec of the pod, for the StatefulSet's template; `keys` is the name of its Secret. */
export function podSpec(spec: SandboxSpec, settings: ClusterSettings, keys: string): V1PodSpec {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_S,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: AGENT_ID,
      runAsGroup: AGENT_ID,
      fsGroup: AGENT_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(settings.runtimeClass ? { runtimeClassName: settings.runtimeClass } : {}),
    ...(settings.pullSecrets.length > 0 ? { imagePullSecrets: settings.pullSecrets.map((name) => ({ name })) } : {}),
    tolerations: [
      // A node that answers ends its pods itself, sooner or later; nobody else can tell that they have ended.
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: LOST_NODE_S },
    ],
    containers: [agentContainer(spec, settings, keys), sidecarContainer(spec, settings)],
    volumes: volumes(spec, settings, keys),
  }
}

function agentContainer(spec: SandboxSpec, { agentImage, pullPolicy }: ClusterSettings, keys: string): V1Container {
  const probe = { tcpSocket: { port: 'terminal' }, timeoutSeconds: 2 }
  return {
    name: AGENT_CONTAINER,
    image: agentImage,
    imagePullPolicy: pullPolicy,
    command: ['/bin/sh', `${FILES}/entrypoint.sh`],
    workingDir: '/workspace',
    // For the entrypoint; Kubernetes itself has no such limit for a pod.
    env: [...variables(spec, keys), { name: 'SAC_PIDS_LIMIT', value: String(spec.resources.pidsLimit) }],
    ports: [{ name: 'terminal', containerPort: TERMINAL_PORT, protocol: 'TCP' }],
    resources: agentResources(spec),
    securityContext: CONTAINER_SECURITY,
    // Of the terminal's own port and nothing else: an outage of the portal must not restart a single agent.
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 60 },
    readinessProbe: { ...probe, periodSeconds: 10, failureThreshold: 3 },
    livenessProbe: { ...probe, periodSeconds: 20, failureThreshold: 6 },
    volumeMounts: [
      { name: volumeName(spec), mountPath: '/workspace', subPath: 'workspace' },
      { name: volumeName(spec), mountPath: '/home/agent', subPath: 'home' },
      // A socket can be spoken to in a read-only folder; nothing can be put in its place.
      { name: 'shared', mountPath: '/run/sac', readOnly: true },
      { name: 'start', mountPath: '/run/sac-start', readOnly: true },
      { name: 'files', mountPath: FILES, readOnly: true },
      { name: 'files', mountPath: '/opt/sac/notify', subPath: 'notify.sh', readOnly: true },
      { name: 'files', mountPath: '/etc/claude-code/managed-settings.json', subPath: 'managed-settings.json', readOnly: true },
      ...scratch('tmp', 'var-tmp', 'terminal'),
    ],
  }
}

function sidecarContainer(spec: SandboxSpec, { sidecarImage, pullPolicy, closedAddress }: ClusterSettings): V1Container {
  return {
    name: SIDECAR_CONTAINER,
    image: sidecarImage,
    imagePullPolicy: pullPolicy,
    env: [
      { name: 'SAC_INTERNAL_URL', value: spec.internalUrl },
      { name: 'SAC_TOKEN_FILE', value: `${TOKEN_FOLDER}/token` },
      { name: 'SAC_WATCH_DIR', value: '/workspace/output' },
      { name: 'SAC_JOURNAL', value: '/var/lib/sac/journal.sqlite' },
      { name: 'SAC_SOCKET', value: '/run/sac/sidecar.sock' },
      ...(closedAddress ? [{ name: 'SAC_CLOSED_ADDRESS', value: closedAddress }] : []),
    ],
    resources: SIDECAR_RESOURCES,
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: volumeName(spec), mountPath: '/workspace', subPath: 'workspace' },
      { name: volumeName(spec), mountPath: '/var/lib/sac', subPath: 'sidecar' },
      { name: 'shared', mountPath: '/run/sac' },
      { name: 'token', mountPath: TOKEN_FOLDER, readOnly: true },
      { name: 'sidecar-tmp', mountPath: '/tmp' },
    ],
  }
}

/** Values stay in the Secret: whoever may read the pod's spec sees names only. */
function variables(spec: SandboxSpec, keys: string): V1EnvVar[] {
  return Object.keys(cliVariables(spec)).map((name) => ({ name, valueFrom: { secretKeyRef: { name: keys, key: `${VARIABLE_PREFIX}${name}` } } }))
}

// The scheduler takes no pod that asks for more than its limit.
function agentResources({ resources: { cpuLimit, memoryLimitBytes }, choices }: SandboxSpec): V1ResourceRequirements {
  const { cpuRequest, memoryRequest, ephemeralStorageLimit } = { ...AGENT_DEFAULTS, ...choices }
  const isTight = bytesOf(ephemeralStorageLimit) < bytesOf(AGENT_STORAGE_REQUEST)
  return {
    requests: {
      cpu: milliCores(Math.min(cpuLimit, coresOf(cpuRequest))),
      memory: String(Math.min(memoryLimitBytes, bytesOf(memoryRequest))),
      'ephemeral-storage': isTight ? ephemeralStorageLimit : AGENT_STORAGE_REQUEST,
    },
    limits: { cpu: milliCores(cpuLimit), memory: String(memoryLimitBytes), 'ephemeral-storage': ephemeralStorageLimit },
  }
}

function milliCores(cores: number): string {
  return `${Math.max(1, Math.round(cores * 1000))}m`
}

const SCRATCH: Record<string, { mountPath: string; sizeLimit: string }> = {
  tmp: { mountPath: '/tmp', sizeLimit: '2Gi' },
  'var-tmp': { mountPath: '/var/tmp', sizeLimit: '2Gi' },
  terminal: { mountPath: '/run/terminal', sizeLimit: '1Mi' },
}

function scratch(...names: string[]): V1VolumeMount[] {
  return names.map((name) => ({ name, mountPath: SCRATCH[name]?.mountPath ?? `/${name}` }))
}

function volumes(spec: SandboxSpec, { volume }: ClusterSettings, keys: string): V1Volume[] {
  return [
    // A claim comes from the StatefulSet's template instead.
    ...(volume.kind === 'emptydir' ? [{ name: volumeName(spec), emptyDir: { sizeLimit: '10Gi' } }] : []),
    { name: 'shared', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: 'files', configMap: { name: FILES_NAME, defaultMode: PROGRAM } },
    { name: 'start', secret: { secretName: keys, defaultMode: READ_ONLY, items: ['credential', 'home.json', 'CLAUDE.md'].map((key) => ({ key, path: key })) } },
    { name: 'token', secret: { secretName: keys, defaultMode: OWNER_ONLY, items: [{ key: 'token', path: 'token' }] } },
    ...Object.entries(SCRATCH).map(([name, { sizeLimit }]) => ({ name, emptyDir: { sizeLimit } })),
    { name: 'sidecar-tmp', emptyDir: { sizeLimit: '32Mi' } },
  ]
}
