import { expect, test } from 'bun:test'
import { KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import { classesOf } from '../../src/runtime/kubernetes/prerequisites.ts'
import { ScriptedApi } from './scripted-api.ts'

const named = (name: string) => ({ metadata: { name } })

test('the classes that a cluster has are listed by name, page by page', async () => {
  using api = new ScriptedApi()
  for (const name of ['standard', 'fast']) api.put(PATHS.storageClasses, named(name))
  for (let number = 0; number < 250; number++) api.put(PATHS.runtimeClasses, named(`class-${String(number).padStart(3, '0')}`))
  const { storageClasses, runtimeClasses } = await classesOf(new KubeClient(api.access))
  expect(storageClasses).toEqual(['fast', 'standard'])
  expect(runtimeClasses?.length).toBe(250)
})

test('what we may not list is unknown, not empty; a cluster that fails says so', async () => {
  using api = new ScriptedApi()
  api.put(PATHS.storageClasses, named('standard'))
  const forbidden = { status: 403, reason: 'Forbidden', when: 'list' as const }
  api.refusals.push(forbidden, forbidden)
  expect(await classesOf(new KubeClient(api.access))).toEqual({ storageClasses: undefined, runtimeClasses: undefined })
  api.refusals.push({ status: 500, reason: 'InternalError', when: 'list' })
  expect(classesOf(new KubeClient(api.access))).rejects.toMatchObject({ status: 500 })
})
