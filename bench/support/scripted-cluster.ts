// An API server on loopback with as many agents as it is asked for, each as large as a real one. `GET /fill?user=U&from=M&count=N`
// makes them and tells watchers, `GET /calls` says how often it was asked for anything.

import { PATHS } from '../../src/runtime/kubernetes/client.ts'
import { statefulSet } from '../../src/runtime/manifests/stateful-set.ts'
import { objectName } from '../../src/runtime/names.ts'
import { ScriptedApi } from '../../tests/runtime/scripted-api.ts'

export const NAMESPACE = 'agents'
export const INSTALLATION = 'bench'
const MANAGED_FIELDS = [{ manager: 'sac', operation: 'Apply', fieldsV1: { f: 'x'.repeat(4000) } }]

if (import.meta.main) {
  const api = new ScriptedApi()
  const control = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const url = new URL(request.url)
      if (url.pathname === '/calls') return Response.json({ lists: api.lists.length, watches: api.watchedFrom.length, single: api.singles.length })
      const asked = (name: string) => Number(url.searchParams.get(name))
      for (let at = 0; at < asked('count'); at++) fill(api, { userId: asked('user'), agentId: asked('from') + at })
      return new Response('ok')
    },
  })
  process.stdout.write(`${JSON.stringify({ api: (api.access as { server: string }).server, control: control.url.href })}\n`)
}

function fill(api: ScriptedApi, key: { userId: number; agentId: number }): void {
  const { agentId } = key
  const spec = {
    ...key,
    generation: 1,
    birth: null,
    environment: {},
    resources: { cpuLimit: 2, memoryLimitBytes: 2 ** 32, pidsLimit: 512 },
    claudeMd: '',
    sandboxToken: '',
    internalUrl: 'http://sac-internal:8082',
    theme: 'dark' as const,
  }
  const settings = {
    installation: INSTALLATION,
    namespace: NAMESPACE,
    agentImage: 'a:1',
    sidecarImage: 's:1',
    pullPolicy: 'IfNotPresent' as const,
    pullSecrets: [],
    volume: { kind: 'pvc' as const, size: '10Gi' },
    egress: 'model' as const,
  }
  const set = statefulSet(spec, settings, 'key', `set-${agentId}`)
  const { template } = set.spec ?? {}
  const name = objectName(key)
  api.put(PATHS.statefulSets(NAMESPACE), { ...set, metadata: { ...set.metadata, name, uid: `set-${agentId}`, managedFields: MANAGED_FIELDS } })
  const containerStatuses = ['claude-code', 'output-watcher'].map((container) => ({
    name: container,
    image: 'a:1',
    imageID: `sha256:${'0'.repeat(64)}`,
    restartCount: 0,
    ready: true,
    state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  }))
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }))
  api.put(PATHS.pods(NAMESPACE), {
    metadata: { ...template?.metadata, name: `${name}-0`, uid: `pod-${agentId}`, managedFields: MANAGED_FIELDS },
    spec: template?.spec,
    status: { phase: 'Running', podIP: `10.1.${agentId >> 8}.${agentId & 255}`, conditions, containerStatuses },
  })
  const usage = { cpu: '1250m', memory: '2Gi' }
  api.put(PATHS.podMetrics(NAMESPACE), { metadata: { name: `${name}-0`, labels: template?.metadata?.labels }, containers: [{ name: 'claude-code', usage }] })
}
