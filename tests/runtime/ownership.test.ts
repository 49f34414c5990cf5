// Whose objects are touched: two installations in one namespace, two starters of one agent, an agent that is deleted meanwhile.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime, KubernetesRuntimeOptions } from '../../src/runtime/kubernetes/adapter.ts'
import { secretName } from '../../src/runtime/names.ts'
import { type SandboxSpec, type StartProgress, Superseded } from '../../src/runtime/runtime.ts'
import { ScriptedApi, type Thing, type Write } from './scripted-api.ts'
import { CLAIMS, control, NAMESPACE, PODS, SECRETS, SERVICES, SETS } from './scripted-controller.ts'
import { scriptedRuntime, scriptedSpec } from './scripted-runtime.ts'

setDefaultTimeout(30_000)
const NAME = 'claude-code-1-7'
const CLAIM = 'data-claude-code-1-7-0'
const KEY = { userId: 1, agentId: 7 }
const OURS = 'installation-a'
const THEIRS = 'installation-b'

const disposing: (Disposable | AsyncDisposable)[] = []
afterEach(async () => {
  for (const thing of disposing.splice(0).reverse()) await (Symbol.dispose in thing ? thing[Symbol.dispose]() : thing[Symbol.asyncDispose]())
})

function cluster({ runs = true } = {}): ScriptedApi {
  const api = new ScriptedApi()
  control(api, { runs })
  disposing.push(api)
  return api
}

function runtimeOf(api: ScriptedApi, installation = OURS, options: Partial<KubernetesRuntimeOptions> = {}): KubernetesRuntime {
  const runtime = scriptedRuntime(api, { settings: { installation }, ...options })
  disposing.push(runtime)
  return runtime
}

function specOf(generation: number): SandboxSpec {
  return scriptedSpec({ ...KEY, birth: null, generation })
}

function start(runtime: KubernetesRuntime, generation: number, signal: AbortSignal = AbortSignal.timeout(10_000), news: StartProgress[] = []): Promise<void> {
  return runtime.start(specOf(generation), (item) => news.push(item), signal)
}

const labelsOf = (thing: Thing | undefined) => (thing?.metadata.labels ?? {}) as Record<string, string>
const generationOf = (thing: Thing | undefined) => (thing?.metadata.annotations as Record<string, string> | undefined)?.['sac.dev/generation']
const replicas = (api: ScriptedApi) => (api.get(SETS, NAME)?.spec as { replicas: number } | undefined)?.replicas
const secretOf = (api: ScriptedApi, generation: number) => secretName({ ...KEY, generation }, String(api.get(SETS, NAME)?.metadata.uid))
const kept = (api: ScriptedApi, generation: number, name: string) => atob((api.get(SECRETS, secretOf(api, generation))?.data as Record<string, string> | undefined)?.[name] ?? '')
const fills = ({ method, path, body }: Write) => method === 'PATCH' && path === `${SETS}/${NAME}` && !Array.isArray(body)

/** Holds the first write that `isMeant` up until it is let go. */
function hold(api: ScriptedApi, isMeant: (write: Write) => boolean): { came: Promise<void>; go: () => void } {
  const came = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let isFirst = true
  api.beforeWrite = (write) => {
    if (!isFirst || !isMeant(write)) return
    isFirst = false
    came.resolve()
    return gate.promise
  }
  return { came: came.promise, go: () => gate.resolve() }
}

describe('two installations in one namespace', () => {
  test('everything that one makes bears its mark, and the other sees nothing of it', async () => {
    const api = cluster()
    const [ours, theirs] = [runtimeOf(api), runtimeOf(api, THEIRS)]
    await start(ours, 1)
    for (const [path, name] of [
      [SETS, NAME],
      [PODS, `${NAME}-0`],
      [SERVICES, NAME],
      [SECRETS, secretOf(api, 1)],
      [CLAIMS, CLAIM],
    ] as const)
      expect(labelsOf(api.get(path, name))['sac.dev/installation']).toBe(OURS)
    expect(await ours.list()).toMatchObject([{ agentId: 7, phase: 'ready' }])
    expect(await theirs.list()).toEqual([])
  })

  test('the other neither starts over it, nor stops, removes or lets go of anything', async () => {
    const api = cluster()
    const [ours, theirs] = [runtimeOf(api), runtimeOf(api, THEIRS)]
    await start(ours, 1)
    const pod = api.get(PODS, `${NAME}-0`)?.metadata.uid
    await expect(start(theirs, 5)).rejects.toThrow('Another installation uses this name in the namespace agents')
    await theirs.stop({ ...KEY, generation: 1 })
    await theirs.disown(KEY)
    await theirs.remove({ ...KEY, birth: null })
    expect([replicas(api), api.get(PODS, `${NAME}-0`)?.metadata.uid]).toEqual([1, pod])
    expect([api.names(SECRETS), api.names(SERVICES), api.names(CLAIMS)]).toEqual([[secretOf(api, 1)], [NAME], [CLAIM]])
  })

  test.each([
    ['sandbox', SETS, NAME],
    ['service', SERVICES, NAME],
    ['volume', CLAIMS, CLAIM],
  ])('a %s of that name is not taken over, neither another installation’s nor one without a mark; the evidence names both', async (kind, path, name) => {
    for (const labels of [{ 'sac.dev/installation': THEIRS }, {}]) {
      const api = cluster()
      api.put(path, { metadata: { name, uid: 'foreign', labels }, spec: { replicas: 1, template: { spec: { containers: [] }, metadata: { labels, annotations: {} } } } })
      const failure = (await start(runtimeOf(api), 1).catch((error: unknown) => error)) as Error
      expect(failure.message).toContain(`has a ${kind} called ${name}`)
      expect(failure.message).not.toContain('remove')
      expect(String(failure.cause)).toContain(OURS)
      expect(api.get(path, name)?.metadata).toMatchObject({ uid: 'foreign', labels })
    }
  })

  test.each([
    ['statefulset', SETS, NAME],
    ['service', SERVICES, NAME],
    ['pvc', CLAIMS, CLAIM],
  ])('a %s without a mark may be an agent’s own, of an earlier version: the evidence says how to mark it, and then it is used', async (kind, path, name) => {
    const api = cluster()
    const object = (labels: Record<string, string>) => ({
      metadata: { name, uid: 'of-before', labels },
      spec: { replicas: 0, template: { spec: { containers: [] }, metadata: { labels, annotations: {} } } },
    })
    api.put(path, object({}))
    const runtime = runtimeOf(api)
    const failure = (await start(runtime, 1).catch((error: unknown) => error)) as Error
    expect(failure.message).toContain('Nothing of it was changed')
    expect(String(failure.cause)).toContain(`kubectl label ${kind} -n ${NAMESPACE} ${name} sac.dev/installation=${OURS}`)
    api.put(path, object({ 'sac.dev/installation': OURS }))
    await start(runtime, 1)
    expect(await runtime.state(KEY)).toMatchObject({ phase: 'ready' })
  })

  test('both start at once: one has the sandbox whole, the other is refused', async () => {
    const api = cluster()
    const [ours, theirs] = [runtimeOf(api), runtimeOf(api, THEIRS)]
    const ends = await Promise.allSettled([start(ours, 1), start(theirs, 1)])
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const winner = ends[0]?.status === 'fulfilled' ? OURS : THEIRS
    for (const thing of [api.get(SETS, NAME), api.get(SERVICES, NAME), api.get(SECRETS, secretOf(api, 1)), api.get(CLAIMS, CLAIM)])
      expect(labelsOf(thing)['sac.dev/installation']).toBe(winner)
  })
})

describe('two starters of one agent', () => {
  test('one that was overtaken while it began changes nothing of the newer start', async () => {
    for (const isMeant of [fills, ({ method, path }: Write) => method === 'POST' && path === SETS, ({ path }: Write) => path === SECRETS]) {
      const api = cluster()
      const [slow, quick] = [runtimeOf(api), runtimeOf(api)]
      const held = hold(api, isMeant)
      const older = start(slow, 1).catch((error: unknown) => error)
      await held.came
      await start(quick, 2)
      const pod = api.get(PODS, `${NAME}-0`)?.metadata.uid
      held.go()
      expect(await older).toBeInstanceOf(Superseded)
      expect([generationOf(api.get(SETS, NAME)), replicas(api), api.get(PODS, `${NAME}-0`)?.metadata.uid]).toEqual(['2', 1, pod])
      expect(kept(api, 2, 'token')).toBe('token-2')
    }
  })

  test('one that waits for its pod ends when a newer start has begun', async () => {
    const api = cluster({ runs: false })
    const older = start(runtimeOf(api), 1).catch((error: unknown) => error)
    await until(() => api.get(PODS, `${NAME}-0`) !== undefined, { what: 'the first pod' })
    const newer = runtimeOf(api)
    const abort = new AbortController()
    const begun = start(newer, 2, abort.signal).catch(() => {})
    expect(await older).toMatchObject({ code: 'superseded', generation: 2 })
    abort.abort()
    await begun
  })

  test('the end of an older start does not end the newer one; its own is ended', async () => {
    const api = cluster()
    const runtime = runtimeOf(api)
    await start(runtime, 1)
    await start(runtime, 2)
    await runtime.stop({ ...KEY, generation: 1 })
    expect(replicas(api)).toBe(1)
    await runtime.stop({ ...KEY, generation: 2 })
    expect(replicas(api)).toBe(0)
  })

  test('no right to read or to change a Secret is needed', async () => {
    const api = cluster()
    const runtime = runtimeOf(api)
    const held = hold(api, fills)
    const started = start(runtime, 1)
    await held.came
    // Somebody changes the StatefulSet meanwhile, so that all is tried again.
    const set = api.get(SETS, NAME)
    if (set) api.put(SETS, set)
    held.go()
    await started
    await start(runtime, 2)
    await runtime.remove({ ...KEY, birth: null })
    expect([...new Set(api.writes.filter(({ path }) => path.startsWith(SECRETS)).map(({ method }) => method))].sort()).toEqual(['DELETE', 'POST'])
  })

  test('the keys of the start before are gone once the next one has its own', async () => {
    const api = cluster()
    const runtime = runtimeOf(api)
    await start(runtime, 1)
    await start(runtime, 2)
    expect(api.names(SECRETS)).toEqual([secretOf(api, 2)])
  })
})

test('an agent that is deleted while it starts stays deleted, whatever its start was about to write', async () => {
  for (const isMeant of [fills, ({ path }: Write) => path === SECRETS]) {
    const api = cluster()
    const runtime = runtimeOf(api)
    const held = hold(api, isMeant)
    const abort = new AbortController()
    const starting = start(runtime, 1, abort.signal).catch((error: unknown) => error)
    await held.came
    abort.abort(new Error('deleted'))
    await runtime.remove({ ...KEY, birth: null })
    held.go()
    expect(String(await starting)).toContain('deleted')
    expect(api.names(SETS)).toEqual([])
  }
})

test('what cannot be changed of a StatefulSet is made anew, with the keys of this start and the volume that there was', async () => {
  const api = cluster()
  await start(runtimeOf(api), 1)
  const volume = api.get(CLAIMS, CLAIM)?.metadata.uid
  const larger = runtimeOf(api)
  const { settings } = (larger as unknown as { options: KubernetesRuntimeOptions }).options
  const other = runtimeOf(api, OURS, { settings: { ...settings, volume: { kind: 'pvc', size: '2Gi' } } })
  await start(other, 2)
  expect([generationOf(api.get(SETS, NAME)), api.names(SECRETS), api.get(CLAIMS, CLAIM)?.metadata.uid]).toEqual(['2', [secretOf(api, 2)], volume])
  expect(await other.state(KEY)).toMatchObject({ phase: 'ready', generation: 2 })
})

describe('the installation’s keys change', () => {
  const [OLD, NEW] = ['1'.repeat(64), '2'.repeat(64)]

  test('a terminal that runs is dialled with the old key’s credential as long as that key is listed, and the next start takes the new one', async () => {
    const api = cluster()
    const before = runtimeOf(api, OURS, { secretKeys: [OLD] })
    await start(before, 1)
    const { credential } = (await before.terminal(KEY)) as { credential: string }
    const rotated = runtimeOf(api, OURS, { secretKeys: [NEW, OLD] })
    await until(async () => (await rotated.state(KEY)).phase === 'ready', { what: 'the view' })
    expect(await rotated.terminal(KEY)).toMatchObject({ credential })
    // The same start again, as after a restart of the server, keeps it as it is.
    await start(rotated, 1)
    expect(await rotated.terminal(KEY)).toMatchObject({ credential })
    await start(rotated, 2)
    await until(async () => (await rotated.state(KEY)).generation === 2, { what: 'the next start' })
    const fresh = (await rotated.terminal(KEY)) as { credential: string }
    expect(kept(api, 2, 'credential')).toBe(fresh.credential)
    const withoutOld = runtimeOf(api, OURS, { secretKeys: [NEW] })
    await until(async () => (await withoutOld.state(KEY)).phase === 'ready', { what: 'the view' })
    expect(await withoutOld.terminal(KEY)).toMatchObject({ credential: fresh.credential })
  })

  test('a key that was taken away while its terminal ran leads to a sentence that says so', async () => {
    const api = cluster()
    await start(runtimeOf(api, OURS, { secretKeys: [OLD] }), 1)
    const rotated = runtimeOf(api, OURS, { secretKeys: [NEW] })
    await until(async () => (await rotated.state(KEY)).phase === 'ready', { what: 'the view' })
    await expect(rotated.terminal(KEY)).rejects.toThrow('not among SECRET_KEYS any more')
  })
})
