// The StatefulSet of a sandbox: one pod or none, and a volume that outlives both. Pure.
import type { V1PersistentVolumeClaim, V1StatefulSet } from '@kubernetes/client-node'
import { CREDENTIAL_KEY, EGRESS_LABEL, GENERATION, labelsOf, objectName, secretName, selectorOf, volumeName } from '../names.ts'
import type { SandboxSpec } from '../runtime.ts'
import { podSpec } from './pod.ts'
import { type ClusterSettings, chosen } from './settings.ts'

/** A StatefulSet that runs the sandbox of `spec`; `credentialKey` names the key of its terminal's credential, `owner` is its own uid. */
export function statefulSet(spec: SandboxSpec, operator: ClusterSettings, credentialKey: string, owner: string): V1StatefulSet {
  const settings = chosen(operator, spec.choices)
  const annotations = { [GENERATION]: String(spec.generation), [CREDENTIAL_KEY]: credentialKey }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: objectName(spec), namespace: settings.namespace, labels: labelsOf(spec, settings.installation), annotations },
    spec: {
      replicas: 1,
      serviceName: objectName(spec),
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 1,
      selector: { matchLabels: selectorOf(spec, settings.installation) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: {
        metadata: { labels: { ...labelsOf(spec, settings.installation), [EGRESS_LABEL]: settings.egress }, annotations },
        spec: podSpec(spec, settings, secretName(spec, owner)),
      },
      ...(settings.volume.kind === 'pvc' ? { volumeClaimTemplates: [claim(volumeName(spec), labelsOf(spec, settings.installation), settings.volume)] } : {}),
    },
  }
}

/** The same without a pod and without what changes from start to start: what is made of it holds the name. */
export function emptySet({ spec, ...rest }: V1StatefulSet): V1StatefulSet {
  if (!spec) return rest
  const containers = spec.template.spec?.containers.map(({ name, image }) => ({ name, image })) ?? []
  return { ...rest, spec: { ...spec, replicas: 0, template: { metadata: spec.template.metadata, spec: { containers } } } }
}

function claim(name: string, labels: Record<string, string>, { size, storageClass }: Extract<ClusterSettings['volume'], { kind: 'pvc' }>): V1PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, labels },
    spec: { accessModes: ['ReadWriteOnce'], ...(storageClass ? { storageClassName: storageClass } : {}), resources: { requests: { storage: size } } },
  }
}
