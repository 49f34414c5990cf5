// What a cluster does by itself with the objects of a scripted API: pods of StatefulSets, their volumes, and the end of what hangs on them.
import { PATHS } from '../../src/runtime/kubernetes/client.ts'
import type { ScriptedApi, Thing } from './scripted-api.ts'

export const NAMESPACE = 'agents'
export const SETS = PATHS.statefulSets(NAMESPACE)
export const PODS = PATHS.pods(NAMESPACE)
export const SECRETS = PATHS.secrets(NAMESPACE)
export const SERVICES = PATHS.services(NAMESPACE)
export const CLAIMS = PATHS.claims(NAMESPACE)

interface Template {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> }
}
interface SetSpec {
  replicas: number
  template: Template
  volumeClaimTemplates?: { metadata: { name: string; labels: Record<string, string> } }[]
}

/** Lets pods of StatefulSets run at once, and end at once. `runs: false` leaves them without a node. */
export function control(api: ScriptedApi, { runs = true }: { runs?: boolean } = {}): void {
  api.put(PATHS.storageClasses, { metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } })
  api.changed = (path, name, now, before) => {
    if (path !== SETS) return
    if (!now) return ended(api, name, before)
    const { replicas, template, volumeClaimTemplates = [] } = now.spec as SetSpec
    const pod = api.get(PODS, `${name}-0`)
    if (replicas === 0) return api.drop(PODS, `${name}-0`)
    if (pod && sameTemplate(pod, template)) return
    if (pod) api.drop(PODS, `${name}-0`)
    for (const { metadata } of volumeClaimTemplates) {
      const claim = `${metadata.name}-${name}-0`
      if (!api.get(CLAIMS, claim)) api.put(CLAIMS, { metadata: { name: claim, uid: crypto.randomUUID(), labels: metadata.labels } })
    }
    api.put(PODS, { metadata: { ...template.metadata, name: `${name}-0`, uid: crypto.randomUUID() }, status: runs ? running() : { phase: 'Pending' } })
  }
}

/** Status of a pod that runs. */
export function running(podIP = '127.0.0.1') {
  const containerStatuses = ['claude-code', 'output-watcher'].map((name) => ({ name, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }))
  return { phase: 'Running', podIP, conditions: [{ type: 'PodScheduled', status: 'True' }], containerStatuses }
}

function ended(api: ScriptedApi, name: string, set: Thing | undefined): void {
  api.drop(PODS, `${name}-0`)
  for (const path of [SECRETS, SERVICES]) {
    for (const dependent of api.names(path)) {
      const { ownerReferences = [] } = (api.get(path, dependent)?.metadata ?? {}) as { ownerReferences?: { uid: string }[] }
      if (ownerReferences.some(({ uid }) => uid === set?.metadata.uid)) api.drop(path, dependent)
    }
  }
}

function sameTemplate(pod: Thing, template: Template): boolean {
  return JSON.stringify(pod.metadata.annotations) === JSON.stringify(template.metadata.annotations)
}
