// What an agent's objects are called in a cluster, and the labels they are found by. Pure.
import type { FilesOwner, SandboxRef } from './runtime.ts'

/** One agent of one user. */
export type SandboxKey = Pick<SandboxRef, 'userId' | 'agentId'>

export const APP_LABEL = 'claude-code'
export const MANAGER = 'sac'
export const AGENT_CONTAINER = 'claude-code'
export const SIDECAR_CONTAINER = 'output-watcher'
export const TERMINAL_PORT = 7681
/** Label selector of everything that belongs to sandboxes, whoever's they are. */
export const SANDBOX_SELECTOR = `app=${APP_LABEL},app.kubernetes.io/managed-by=${MANAGER}`
/** Label with the id of the installation that an object was made by: nobody else touches it. */
export const INSTALLATION_LABEL = 'sac.dev/installation'
export const EGRESS_LABEL = 'sac.dev/egress'
/** Annotation with the start that an object belongs to. */
export const GENERATION = 'sac.dev/generation'
/** Annotation that names the key which a terminal's credential was made with. */
export const CREDENTIAL_KEY = 'sac.dev/credential-key'
/** Label of a volume whose agent is gone, and the annotation that says when it goes, too. */
export const RELEASED_LABEL = 'sac.dev/released'
export const REMOVE_AFTER = 'sac.dev/remove-after'
const VOLUME = 'data'
const UID_PREFIX = 8
const BIRTH_PREFIX = 8

/** Name of the StatefulSet and of the headless Service. */
export function objectName({ userId, agentId }: SandboxKey): string {
  return `${APP_LABEL}-${userId}-${agentId}`
}

/** Name of the only pod. */
export function podName(key: SandboxKey): string {
  return `${objectName(key)}-0`
}

/**
 * Name of the Secret of one start, by the uid of its StatefulSet: an older start never changes what a newer one has, and
 * whoever finds one of that name has made it.
 */
export function secretName(ref: SandboxRef, owner: string): string {
  return `${objectName(ref)}-${ref.generation}-${owner.slice(0, UID_PREFIX)}`
}

/** Name of the agent's volume in its pod and of the template of its claim: the claim of another birth is never bound. */
export function volumeName({ birth }: Pick<FilesOwner, 'birth'>): string {
  return birth === null ? VOLUME : `${VOLUME}-${birth.slice(0, BIRTH_PREFIX)}`
}

/** Name of the claim that the StatefulSet makes from its template. */
export function claimName(owner: FilesOwner): string {
  return claimOf(owner, volumeName(owner))
}

/** Name of the claim of a sandbox whose template has this name. */
export function claimOf(key: SandboxKey, template: string): string {
  return `${template}-${podName(key)}`
}

/** The pod's name in the cluster's DNS, the same for every start. */
export function podHost(key: SandboxKey, namespace: string, clusterDomain: string): string {
  return `${podName(key)}.${objectName(key)}.${namespace}.svc.${clusterDomain}`
}

/** Labels that select exactly one agent's pod. */
export function selectorOf({ userId, agentId }: SandboxKey, installation: string): Record<string, string> {
  return { app: APP_LABEL, 'user-id': String(userId), 'agent-id': String(agentId), [INSTALLATION_LABEL]: installation }
}

/** Labels of every object of an agent. */
export function labelsOf(key: SandboxKey, installation: string): Record<string, string> {
  return { ...selectorOf(key, installation), 'app.kubernetes.io/managed-by': MANAGER }
}

/** Label selector of the sandboxes of one installation: what others have in the namespace is never seen. */
export function sandboxesOf(installation: string): string {
  return `${SANDBOX_SELECTOR},${INSTALLATION_LABEL}=${installation}`
}

/** The agent that an object, a pod or a claim is named for; undefined for anything else. */
export function keyOfName(name: string): SandboxKey | undefined {
  const match = /^(?:data-(?:[0-9a-f]{8}-)?)?claude-code-([1-9]\d{0,14})-([1-9]\d{0,14})(?:-0)?$/.exec(name)
  return match ? { userId: Number(match[1]), agentId: Number(match[2]) } : undefined
}
