// The Kubernetes runtime on the cluster of KUBECONFIG: whole lives of sandboxes, and reasons why they do not come up.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import type { KubernetesRuntime } from '../../src/runtime/kubernetes/adapter.ts'
import { PATHS } from '../../src/runtime/kubernetes/client.ts'
import { Ownership } from '../../src/runtime/kubernetes/ownership.ts'
import { ReleasedVolumes } from '../../src/runtime/kubernetes/volumes.ts'
import type { StartProgress } from '../../src/runtime/runtime.ts'
import { OpenTerminal, specOf, TestNamespace } from './cluster.ts'

setDefaultTimeout(180_000)
const START_MS = 120_000

let space: TestNamespace
let runtime: KubernetesRuntime
beforeAll(async () => {
  space = await TestNamespace.make('k8s-adapter')
  runtime = space.runtime()
})
afterAll(() => runtime[Symbol.asyncDispose]())

async function start(spec = specOf(1), on = runtime): Promise<StartProgress[]> {
  const news: StartProgress[] = []
  await on.start(spec, (item) => news.push(item), AbortSignal.timeout(START_MS))
  return news
}

/** Types a command at the CLI's own shell prefix and waits for what it prints. */
async function shell(terminal: OpenTerminal, command: string, answer: string): Promise<void> {
  terminal.type(`!${command}`)
  await terminal.shows(command.slice(-12))
  terminal.type('\r')
  await terminal.shows(answer)
}

describe('the life of a sandbox', () => {
  test('a start tells its steps in order and ends with a terminal in which the genuine CLI answers', async () => {
    const news = await start()
    expect([...new Set(news.map(({ step }) => step))]).toEqual(expect.arrayContaining(['scheduling', 'starting', 'restoring']))
    expect(await runtime.state(specOf(1))).toMatchObject({ phase: 'ready', generation: 1 })
    const terminal = await OpenTerminal.of(runtime, specOf(1))
    await terminal.shows('Claude')
    await shell(terminal, 'echo kept-$((20+3)) > /workspace/kept; cat /workspace/kept', 'kept-23')
    terminal.close()
  })

  test('a wrong credential is refused', async () => {
    const address = await runtime.terminal(specOf(1))
    if (address.kind !== 'ttyd') throw new Error('not a ttyd')
    const answer = await fetch(address.url.replace(/^ws/, 'http').replace(/\/ws$/, '/'))
    expect(answer.status).toBe(401)
    const wrong = await fetch(address.url.replace(/^ws/, 'http').replace(/\/ws$/, '/'), { headers: { authorization: `Basic ${btoa('sac:wrong')}` } })
    expect(wrong.status).toBe(401)
  })

  test('the same start again changes nothing, and two starters at once make one sandbox', async () => {
    const before = (await space.pod(specOf(1)))?.metadata.uid
    await start()
    expect((await space.pod(specOf(1)))?.metadata.uid).toBe(before ?? '')
    const other = space.runtime()
    await Promise.all([start(specOf(2)), start(specOf(2), other)])
    await other[Symbol.asyncDispose]()
    expect(await space.names(PATHS.services(space.name))).toEqual(['claude-code-1-1', 'claude-code-1-2'])
    expect((await space.names(PATHS.pods(space.name))).filter((name) => name.startsWith('claude-code-1-2'))).toEqual(['claude-code-1-2-0'])
    await runtime.remove(specOf(2))
  })

  test('a killed pod comes back by itself with its files, and is told about', async () => {
    const before = (await space.pod(specOf(1)))?.metadata.uid
    const told: string[] = []
    const off = runtime.watch(({ phase, reason }) => told.push(`${phase}: ${reason ?? ''}`))
    await space.killPod(specOf(1))
    await until(async () => (await runtime.state(specOf(1))).phase !== 'ready', { timeoutMs: 10_000, what: 'the loss to be seen' })
    await runtime.follow(specOf(1), () => {}, AbortSignal.timeout(START_MS))
    off()
    expect((await space.pod(specOf(1)))?.metadata.uid).not.toBe(before ?? '')
    expect(told[0]).toMatch(/^starting: The sandbox’s pod/)
    expect(told.at(-1)).toMatch(/^ready/)
    const terminal = await OpenTerminal.of(runtime, specOf(1))
    await terminal.shows('Claude')
    await shell(terminal, 'cat /workspace/kept', 'kept-23')
    terminal.close()
  })

  test('an evicted pod moves on by itself, and the words say that the cluster took it', async () => {
    const told: string[] = []
    const off = runtime.watch(({ reason }) => told.push(reason ?? ''))
    await space.evict(specOf(1))
    await until(async () => (await runtime.state(specOf(1))).phase !== 'ready', { timeoutMs: 30_000, what: 'the loss to be seen' })
    await runtime.follow(specOf(1), () => {}, AbortSignal.timeout(START_MS))
    off()
    expect(told[0]).toMatch(/took the sandbox away/)
  })

  test('a program that takes more memory than the sandbox may have is ended; the sandbox comes back or goes on', async () => {
    const before = (await space.pod(specOf(1)))?.metadata.uid
    const terminal = await OpenTerminal.of(runtime, specOf(1))
    await terminal.shows('❯')
    // By the version of control groups the program alone is killed, or all of the container.
    const ended = shell(terminal, 'node -e "const a=[];for(;;)a.push(Buffer.alloc(1<<26,1))"; echo over-$((20+3))', 'over-23')
    await Promise.race([ended, until(() => terminal.lost, { timeoutMs: 40_000, what: 'the end of the container' })])
    await until(async () => (await runtime.state(specOf(1))).phase === 'ready', { timeoutMs: 60_000, what: 'the sandbox' })
    // The memory is the container's own: neither the pod nor its volume goes.
    expect((await space.pod(specOf(1)))?.metadata.uid).toBe(before ?? '')
    terminal.close()
    const again = await OpenTerminal.of(runtime, specOf(1))
    await again.shows('❯')
    await shell(again, 'cat /workspace/kept', 'kept-23')
    again.close()
  })

  test('a stopped one has no pod and keeps its volume; the next start is another generation with another credential and the same files', async () => {
    const old = await runtime.terminal(specOf(1))
    await runtime.stop(specOf(1))
    await until(async () => (await space.pod(specOf(1))) === undefined, { timeoutMs: 30_000, what: 'the end of the pod' })
    expect(await runtime.state(specOf(1))).toMatchObject({ phase: 'absent' })
    await expect(runtime.terminal(specOf(1))).rejects.toThrow('Start it first')
    await start(specOf(1, 2))
    const now = await runtime.terminal(specOf(1))
    expect(now.kind === 'ttyd' && old.kind === 'ttyd' && now.credential !== old.credential).toBe(true)
    const terminal = await OpenTerminal.of(runtime, specOf(1))
    await terminal.shows('Claude')
    await shell(terminal, 'cat /workspace/kept', 'kept-23')
    terminal.close()
  })

  test('a start of an older generation is refused', async () => {
    await expect(start(specOf(1, 1))).rejects.toThrow('newer')
  })

  test('changed settings of the volume do not keep an agent from starting: its old volume is used', async () => {
    const larger = space.runtime({ volume: { kind: 'pvc', size: '2Gi' } })
    await start(specOf(1, 3), larger)
    await larger[Symbol.asyncDispose]()
    const terminal = await OpenTerminal.of(runtime, specOf(1))
    await terminal.shows('Claude')
    await shell(terminal, 'cat /workspace/kept', 'kept-23')
    terminal.close()
  })

  test('a deleted StatefulSet is seen as that', async () => {
    await start(specOf(3))
    await space.client.remove(PATHS.statefulSets(space.name), 'claude-code-1-3')
    await until(async () => (await runtime.state(specOf(3))).phase === 'absent', { timeoutMs: 30_000, what: 'the loss to be seen' })
    expect((await runtime.state(specOf(3))).reason).toContain('deleted from the cluster')
    await start(specOf(3, 2))
    await runtime.remove(specOf(3))
  })

  test('a removed one leaves nothing but its volume, which goes when its time of grace is over', async () => {
    await runtime.remove(specOf(1))
    await until(async () => (await runtime.list()).length === 0, { timeoutMs: 60_000, what: 'the end of all sandboxes' })
    for (const path of [PATHS.statefulSets, PATHS.services, PATHS.secrets, PATHS.pods])
      await until(async () => (await space.names(path(space.name))).length === 0, { timeoutMs: 20_000, what: `no ${path('')}` })
    expect(await space.names(PATHS.claims(space.name))).toContain('data-claude-code-1-1-0')
    let used = ['data-claude-code-1-1-0']
    const volumes = new ReleasedVolumes({
      client: space.client,
      settings: space.settings(),
      ownership: new Ownership({ client: space.client, settings: space.settings() }),
      graceMs: 3_600_000,
      inUse: (claim) => used.includes(claim),
      logger: silentLogger,
    })
    let present: { birth: string | null } | undefined
    const sweep = (now?: Date) => volumes.sweep(async () => present, now)
    await sweep()
    // A sandbox that has it, and an agent that came back, keep it however late it is.
    const late = new Date(Date.now() + 3_700_000)
    await sweep(late)
    used = []
    await volumes.keep(specOf(1))
    await sweep(late)
    await volumes.release(specOf(1))
    present = { birth: null }
    await sweep(late)
    present = undefined
    await sweep(late)
    expect(await space.names(PATHS.claims(space.name))).toContain('data-claude-code-1-1-0')
    await volumes.release(specOf(1))
    await sweep(new Date(Date.now() + 3_700_000))
    await until(async () => (await space.names(PATHS.claims(space.name))).length === 0, { timeoutMs: 60_000, what: 'the end of the volumes' })
  })
})

describe('a sandbox that cannot come up says why', () => {
  /** The first words of trouble that a start tells, or its error. */
  async function trouble(agentId: number, on: KubernetesRuntime, spec = specOf(agentId)): Promise<string> {
    const abort = new AbortController()
    const told = Promise.withResolvers<string>()
    const usual = /^The (node|sandbox before|files)/
    const running = on.start(spec, ({ detail }) => detail && !usual.test(detail) && told.resolve(detail), AbortSignal.any([abort.signal, AbortSignal.timeout(START_MS)]))
    running.then(
      () => told.reject(new Error('it came up')),
      (error: Error) => told.resolve(error.message),
    )
    const words = await told.promise
    abort.abort(new Error('seen enough'))
    await running.catch(() => {})
    await on.remove(spec)
    await on[Symbol.asyncDispose]()
    return words
  }

  test('an image that is not there', async () => {
    expect(await trouble(11, space.runtime({ agentImage: 'sac/none:1', pullPolicy: 'Never' }))).toContain('image is not on the node')
  })

  test('a name of an image that is none', async () => {
    expect(await trouble(12, space.runtime({ agentImage: 'Not An Image' }))).toContain('image is not valid')
  })

  test('a storage class that is not there', async () => {
    expect(await trouble(13, space.runtime({ volume: { kind: 'pvc', size: '1Gi', storageClass: 'no-such-class' } }))).toContain('no storage class no-such-class')
  })

  test('a runtime class that is not there', async () => {
    expect(await trouble(14, space.runtime({ runtimeClass: 'no-such-class' }))).toContain('no runtime class no-such-class')
  })

  test('a quota that is used up, and the start goes on when there is room', async () => {
    const quotas = `/api/v1/namespaces/${space.name}/resourcequotas`
    const quota = (pods: string) => ({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec: { hard: { pods } } })
    await space.client.apply(quotas, quota('0'))
    const on = space.runtime()
    const details: string[] = []
    const running = on.start(specOf(15), ({ detail }) => detail && details.push(detail), AbortSignal.timeout(START_MS))
    await until(() => details.some((detail) => detail.includes('quota')), { timeoutMs: 60_000, what: 'words about the quota' })
    await space.client.remove(quotas, 'few')
    await running
    await on.remove(specOf(15))
    await on[Symbol.asyncDispose]()
  })

  test('more than the cluster allows for one', async () => {
    const ranges = `/api/v1/namespaces/${space.name}/limitranges`
    await space.client.apply(ranges, {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'small' },
      spec: { limits: [{ type: 'Container', max: { cpu: '600m' } }] },
    } as never)
    expect(await trouble(16, space.runtime())).toContain('more CPU or memory than the cluster allows')
    await space.client.remove(ranges, 'small')
  })

  test('what was refused once comes up when the cluster allows it', async () => {
    const ranges = `/api/v1/namespaces/${space.name}/limitranges`
    await space.client.apply(ranges, {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'small' },
      spec: { limits: [{ type: 'Container', max: { cpu: '600m' } }] },
    } as never)
    await expect(start(specOf(18))).rejects.toThrow('more CPU or memory')
    await space.client.remove(ranges, 'small')
    await runtime.stop(specOf(18))
    // Events tell whole seconds: what comes now must be younger than the refusal.
    const refusedIn = Math.floor(Date.now() / 1000)
    await until(() => Math.floor(Date.now() / 1000) > refusedIn, { what: 'another second' })
    await start(specOf(18, 2))
    await runtime.remove(specOf(18))
  })

  test('a namespace that is not there', async () => {
    expect(await trouble(17, space.runtime({ namespace: 'no-such-namespace' }))).toMatch(/no namespace no-such-namespace/)
  })
})
