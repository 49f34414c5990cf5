// Whose files a volume holds: an agent's of one birth, never those of another agent that has got the same numbers.
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import { claimName } from '../../src/runtime/names.ts'
import type { FilesOwner } from '../../src/runtime/runtime.ts'
import { ScriptedApi } from './scripted-api.ts'
import { CLAIMS, control, PODS, SETS } from './scripted-controller.ts'
import { scriptedRuntime, scriptedSpec } from './scripted-runtime.ts'

setDefaultTimeout(30_000)
const ALICE: FilesOwner = { userId: 7, agentId: 12, birth: 'a11ce000-0000-4000-8000-000000000001' }
const BOB: FilesOwner = { ...ALICE, birth: 'b0b00000-0000-4000-8000-000000000002' }
const BEFORE: FilesOwner = { ...ALICE, birth: null }
const GRACE_MS = 1

let api: ScriptedApi
let runtime: KubernetesRuntime
beforeEach(() => {
  api = new ScriptedApi()
  control(api)
  runtime = scriptedRuntime(api, { volumeGraceMs: GRACE_MS })
})
afterEach(async () => {
  await runtime[Symbol.asyncDispose]()
  api[Symbol.dispose]()
})

async function start(owner: FilesOwner, generation = 1): Promise<void> {
  await runtime.start(scriptedSpec({ ...owner, generation }), () => {}, AbortSignal.timeout(10_000))
}

/** Names of the volumes that the agent's StatefulSet makes and its containers mount. */
function mounted(): { templates: unknown[]; mounts: string[] } {
  const spec = api.get(SETS, 'claude-code-7-12')?.spec as
    | {
        volumeClaimTemplates: { metadata: { name: string } }[]
        template: { spec: { containers: { volumeMounts: { name: string; mountPath: string }[] }[] } }
      }
    | undefined
  const mounts = spec?.template.spec.containers.flatMap(({ volumeMounts }) => volumeMounts.filter(({ mountPath }) => mountPath === '/workspace').map(({ name }) => name)) ?? []
  return { templates: spec?.volumeClaimTemplates.map(({ metadata }) => metadata.name) ?? [], mounts }
}

const released = (owner: FilesOwner) => Object.keys((api.get(CLAIMS, claimName(owner))?.metadata.labels ?? {}) as object).includes('sac.dev/released')
const nobody = async () => undefined
/** Sweeps when the time of grace of all that was let go is over. */
async function sweep(present: Parameters<KubernetesRuntime['sweep']>[0] = nobody): Promise<void> {
  const over = Date.now() + 2 * GRACE_MS
  await until(() => Date.now() > over, { what: 'the end of the time of grace' })
  await runtime.sweep(present)
}

test('an agent with the numbers of another one, as after a restored database, never gets its volume, whatever is left of it', async () => {
  await start(ALICE, 3)
  const uid = api.get(CLAIMS, claimName(ALICE))?.metadata.uid
  const pod = api.get(PODS, 'claude-code-7-12-0')?.metadata.uid
  await start(BOB, 4)
  expect(mounted()).toEqual({ templates: ['data-b0b00000'], mounts: ['data-b0b00000', 'data-b0b00000'] })
  expect(api.get(PODS, 'claude-code-7-12-0')?.metadata.uid).not.toBe(pod)
  expect(api.names(CLAIMS).sort()).toEqual([claimName(ALICE), claimName(BOB)])
  await runtime.disown(ALICE)
  await start(BOB, 5)
  expect(mounted().templates).toEqual(['data-b0b00000'])
  // What becomes of one agent does nothing to the other one's files.
  await runtime.remove(BOB)
  expect([released(ALICE), released(BOB), api.get(CLAIMS, claimName(ALICE))?.metadata.uid]).toEqual([false, true, uid])
})

test('an agent of before there were births has the volume that it always had; one that was born never gets that', async () => {
  await start(BEFORE)
  expect(api.names(CLAIMS)).toEqual(['data-claude-code-7-12-0'])
  await start(BOB, 2)
  expect(mounted().templates).toEqual(['data-b0b00000'])
})

test('a volume whose time is over goes; not while its agent lives again, not while a sandbox has it', async () => {
  await start(ALICE)
  await runtime.remove(ALICE)
  await sweep(async () => ALICE)
  expect([api.names(CLAIMS), released(ALICE)]).toEqual([[claimName(ALICE)], false])
  await start(ALICE, 2)
  api.put(CLAIMS, {
    metadata: {
      ...api.get(CLAIMS, claimName(ALICE))?.metadata,
      name: claimName(ALICE),
      annotations: { 'sac.dev/remove-after': new Date(0).toISOString() },
      labels: { 'sac.dev/released': 'true', 'sac.dev/installation': 'i' },
    },
  })
  await sweep()
  expect(api.names(CLAIMS)).toEqual([claimName(ALICE)])
  await runtime.remove(ALICE)
  // Somebody else's agent has the numbers by now, and runs.
  await start(BOB, 3)
  await sweep(async () => BOB)
  expect(api.names(CLAIMS)).toEqual([claimName(BOB)])
})

test('rows that cannot be asked let nothing go', async () => {
  await start(ALICE)
  await runtime.remove(ALICE)
  await expect(sweep(() => Promise.reject(new Error('the database is away')))).rejects.toThrow()
  expect(api.names(CLAIMS)).toEqual([claimName(ALICE)])
})

test('a start that keeps a volume in the very moment in which it would go has it', async () => {
  await start(ALICE)
  await runtime.remove(ALICE)
  api.beforeWrite = ({ method, path }) => {
    if (method !== 'DELETE' || !path.startsWith(CLAIMS)) return
    api.beforeWrite = undefined
    return start(ALICE, 2)
  }
  await sweep()
  expect([api.names(CLAIMS), released(ALICE)]).toEqual([[claimName(ALICE)], false])
})

test('nothing is bound to a volume that is on its way out: the start waits until it is gone', async () => {
  await start(ALICE)
  await runtime.disown(ALICE)
  const name = claimName(ALICE)
  const claim = api.get(CLAIMS, name)
  api.put(CLAIMS, { ...claim, metadata: { ...claim?.metadata, name, deletionTimestamp: new Date().toISOString() } })
  const starting = start(ALICE, 2)
  const asked = () => api.singles.filter((path) => path.endsWith(name)).length
  const before = asked()
  await until(() => asked() >= before + 2, { what: 'more looks at the volume' })
  expect(api.names(SETS)).toEqual([])
  api.drop(CLAIMS, name)
  await starting
  expect(api.get(CLAIMS, name)?.metadata.uid).not.toBe(claim?.metadata.uid)
})
