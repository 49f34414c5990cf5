// What the portal's settings choose for a sandbox, in the objects of a scripted cluster: images, volumes that grow, volumes that stay.
import { expect, test } from 'bun:test'
import type { ClusterChoices } from '../../src/runtime/runtime.ts'
import { ScriptedApi, type Thing } from './scripted-api.ts'
import { CLAIMS, control, SETS } from './scripted-controller.ts'
import { scriptedRuntime, scriptedSpec } from './scripted-runtime.ts'

const KEY = { userId: 1, agentId: 7 }
const CLAIM = 'data-claude-code-1-7-0'

test('a start takes the chosen image; its volume grows with the setting, never shrinks, and stays when another class is chosen', async () => {
  using api = new ScriptedApi()
  control(api, { runs: true })
  await using runtime = scriptedRuntime(api)
  let generation = 0
  const start = async (choices: ClusterChoices) => {
    await runtime.start({ ...scriptedSpec({ ...KEY, birth: null, generation: ++generation }), choices }, () => {}, AbortSignal.timeout(10_000))
  }
  const claim = () => api.get(CLAIMS, CLAIM) as (Thing & { spec: { resources: { requests: { storage: string } } } }) | undefined
  const image = () => (api.get(SETS, 'claude-code-1-7')?.spec as { template: { spec: { containers: { image: string }[] } } } | undefined)?.template.spec.containers[0]?.image
  await start({ image: 'agent:2', storageSize: '2Gi' })
  expect([image(), claim()?.spec.resources.requests.storage]).toEqual(['agent:2', '2Gi'])
  const uid = claim()?.metadata.uid
  await start({ image: '', storageSize: '4Gi' })
  expect([image(), claim()?.spec.resources.requests.storage]).toEqual(['agent:1', '4Gi'])
  await start({ storageSize: '1Gi', storageClass: 'fast' })
  expect([claim()?.spec.resources.requests.storage, claim()?.metadata.uid]).toEqual(['4Gi', uid])
})
