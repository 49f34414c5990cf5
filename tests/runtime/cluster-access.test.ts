// What is presented to a cluster's API, and how long anything there is waited for.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { kubeconfigAccess, podAccess } from '../../src/runtime/kubernetes/access.ts'
import { ApiUnreachable, KubeClient, PATHS } from '../../src/runtime/kubernetes/client.ts'
import { CollectionWatch } from '../../src/runtime/kubernetes/watch.ts'
import { ScriptedApi } from './scripted-api.ts'

setDefaultTimeout(30_000)
const LIMITS = { callMs: 300, silentMs: 400 }

const disposing: (() => void)[] = []
afterEach(() => {
  for (const end of disposing.splice(0).reverse()) end()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sac-access-'))
  disposing.push(() => rmSync(path, { recursive: true }))
  return path
}

// As kubelet does it: a folder of its own for each version, and a link that is moved in one step.
function mount(at: string, version: string): void {
  mkdirSync(join(at, version))
  for (const name of ['token', 'ca.crt']) {
    writeFileSync(join(at, version, name), `${name} of ${version}`)
  }
  symlinkSync(version, join(at, '..data_tmp'))
  renameSync(join(at, '..data_tmp'), join(at, '..data'))
}

test('a service account that is renewed is presented from the next call on, its authority too', async () => {
  const at = folder()
  mount(at, 'v1')
  for (const name of ['token', 'ca.crt']) symlinkSync(`..data/${name}`, join(at, name))
  const access = await podAccess('10.0.0.1', '443', at)
  expect(await access.credentials()).toEqual({ tls: { ca: 'ca.crt of v1' }, headers: { authorization: 'Bearer token of v1' } })
  mount(at, 'v2')
  expect(await access.credentials()).toEqual({ tls: { ca: 'ca.crt of v2' }, headers: { authorization: 'Bearer token of v2' } })
})

test('a program for tokens that hangs is begun once, and no call waits for it longer than a call may last', async () => {
  const at = folder()
  const begun = join(at, 'begun')
  const program = join(at, 'token-program')
  writeFileSync(program, `#!/bin/sh\necho x >> ${begun}\nexec sleep 20\n`)
  chmodSync(program, 0o755)
  const config = join(at, 'config')
  const user = { name: 'u', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: program } } }
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } }
  writeFileSync(config, JSON.stringify({ clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:9' } }], users: [user], contexts: [context], 'current-context': 'c' }))
  const client = new KubeClient(await kubeconfigAccess(config), LIMITS)
  const calls = [client.get('/version'), client.list(PATHS.pods('x')), client.socket('/x', 'y'), client.get('/version')]
  for (const call of await Promise.allSettled(calls)) expect((call as PromiseRejectedResult).reason).toBeInstanceOf(ApiUnreachable)
  expect(readFileSync(begun, 'utf8')).toBe('x\n')
})

// Takes connections and requests, and never answers.
function mute(): string {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  disposing.push(() => listener.stop(true))
  return `http://127.0.0.1:${listener.port}`
}

test('an API that takes a watch and does not answer is given up like any other call', async () => {
  const client = new KubeClient({ server: mute(), credentials: async () => ({ tls: {}, headers: {} }) }, LIMITS)
  const opened: boolean[] = []
  const watch = client.watch(PATHS.pods('x'), {}, new AbortController().signal, () => opened.push(true))
  await expect(watch.next()).rejects.toBeInstanceOf(ApiUnreachable)
  await expect(client.get('/version')).rejects.toBeInstanceOf(ApiUnreachable)
  expect(opened).toEqual([])
})

test('a watch that falls silent counts as out of touch since it was last heard, until the API has answered again', async () => {
  const api = new ScriptedApi()
  disposing.push(() => api[Symbol.dispose]())
  const sink = { replace() {}, put() {}, gone() {} }
  const watch = new CollectionWatch({ client: new KubeClient(api.access, LIMITS), path: PATHS.pods('x'), sink, logger: silentLogger })
  disposing.push(() => watch[Symbol.dispose]())
  await watch.seen
  await until(() => api.watching === 1, { what: 'the watch' })
  expect(watch.staleMs).toBe(0)
  api.refusals.push(...Array.from({ length: 4 }, () => ({ status: 503, reason: '', when: 'watch' as const })))
  const age = await until(() => watch.staleMs, { what: 'a view out of touch' })
  // It was heard for the last time before the silence began.
  expect(age).toBeGreaterThanOrEqual(LIMITS.silentMs)
  await until(() => watch.staleMs === 0, { timeoutMs: 20_000, what: 'a live view' })
})
