// The chart on a cluster: installed, looked at from inside and outside, upgraded, uninstalled. In namespaces of its own.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { randomToken } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { knocking, RESTRICTED, runScript } from './knock.ts'
import { CHART, forward, helm, imageValues, kubectl, tryHelm, tryKubectl } from './shell.ts'

const NAMESPACE = `k8s-chart-${randomToken(6)
  .toLowerCase()
  .replaceAll(/[^a-z0-9]/g, 'x')}`
const AGENTS = `${NAMESPACE}-agents`
const VALUES = ['-f', join(import.meta.dir, 'values.yaml'), ...imageValues(), '--set', 'admissionPolicy.enabled=true,metrics.enabled=true']

const secret = async (name: string) => JSON.parse(await kubectl('get', 'secret', '-n', NAMESPACE, name, '-o', 'json')).data as Record<string, string>
const serverPods = async () => {
  const { items } = JSON.parse(await kubectl('get', 'pods', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=server', '-o', 'json')) as {
    items: { metadata: { name: string; deletionTimestamp?: string }; status: { podIP: string; containerStatuses?: { restartCount: number; ready: boolean }[] } }[]
  }
  return items.filter(({ metadata }) => !metadata.deletionTimestamp)
}

const asAgent = (name: string, script: string, labels: Record<string, string>) => runScript(AGENTS, name, script, labels)

beforeAll(async () => {
  await kubectl('create', 'namespace', NAMESPACE)
  // Nothing of the portal needs more than what the agents may.
  await kubectl('label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted')
  await helm('install', 'sac', CHART, '-n', NAMESPACE, ...VALUES, '--wait', '--timeout', '4m')
}, 280_000)

afterAll(async () => {
  await tryHelm('uninstall', 'sac', '-n', NAMESPACE, '--wait', '--timeout', '2m')
  await kubectl('delete', 'namespace', '--ignore-not-found', '--wait=false', NAMESPACE, AGENTS)
}, 150_000)

test('two replicas are ready, and neither had to be started twice', async () => {
  const pods = await serverPods()
  expect(pods.map(({ status }) => status.containerStatuses?.map(({ ready, restartCount }) => ({ ready, restartCount })))).toEqual([
    [{ ready: true, restartCount: 0 }],
    [{ ready: true, restartCount: 0 }],
  ])
})

test('the sign-in page and its parts come through the Service, the internal API does not', async () => {
  await using service = await forward(NAMESPACE, 'sac', 80)
  const page = await fetch(`${service.url}/login`)
  const html = await page.text()
  expect(page.status).toBe(200)
  expect(html).toContain('Sign in')
  const parts = [...html.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, path]) => path)
  expect(parts.length).toBeGreaterThan(1)
  for (const path of parts) expect((await fetch(service.url + path)).status).toBe(200)
  expect((await fetch(`${service.url}/api/internal/manifest`)).status).toBe(404)
})

test('a replica tells its figures', async () => {
  await using service = await forward(NAMESPACE, 'sac-metrics', 9090)
  expect(await (await fetch(`${service.url}/metrics`)).text()).toMatch(/^sac_draining 0$/m)
})

test('the first admin signs in with the password of the Secret', async () => {
  await using service = await forward(NAMESPACE, 'sac', 80)
  const password = Buffer.from((await secret('sac'))['admin-password'] ?? '', 'base64').toString()
  const answer = await fetch(`${service.url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password }),
  })
  expect(answer.status).toBe(200)
  expect(((await answer.json()) as { token: string }).token).toMatch(/^ey/)
})

test('an agent starts under all of these rules, and ends with everything it had but its volume', async () => {
  await using service = await forward(NAMESPACE, 'sac', 80)
  const password = Buffer.from((await secret('sac'))['admin-password'] ?? '', 'base64').toString()
  const ask = async <T>(method: string, path: string, body?: unknown, token?: string): Promise<T> => {
    const headers = { ...(body ? { 'content-type': 'application/json' } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) }
    const answer = await fetch(service.url + path, { method, headers, body: body ? JSON.stringify(body) : undefined })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  const { token } = await ask<{ token: string }>('POST', '/api/auth/login', { username: 'admin', password })
  const { id } = await ask<{ id: number }>('POST', '/api/agents', { name: 'Ruled' }, token)
  const { session_id } = await ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: id }, token)
  const session = () => ask<{ status: string; reason: unknown }>('GET', `/api/sessions/${session_id}`, undefined, token)
  await until(async () => /running|failed/.test((await session()).status), { timeoutMs: 90_000, intervalMs: 300, what: 'a running agent' })
  expect(await session()).toMatchObject({ status: 'running', reason: null })
  await ask('DELETE', `/api/agents/${id}`, undefined, token)
  const left = async () => (await kubectl('get', 'statefulsets,services,secrets,pods', '-n', AGENTS, '-l', 'app=claude-code', '-o', 'name')).trim()
  await until(async () => (await left()) === '', { timeoutMs: 90_000, intervalMs: 500, what: 'the end of its objects' })
  expect(await kubectl('get', 'pvc', '-n', AGENTS, '-o', 'name')).toMatch(new RegExp(`data-[0-9a-f]{8}-claude-code-1-${id}-0`))
}, 200_000)

test('the server’s account may do what it needs among the agents, and nothing else', async () => {
  const may = async (verb: string, resource: string, namespace: string) =>
    (await tryKubectl(['auth', 'can-i', verb, resource, '-n', namespace, `--as=system:serviceaccount:${NAMESPACE}:sac`])).out.trim()
  for (const [verb, resource] of [
    ['create', 'statefulsets.apps'],
    ['delete', 'persistentvolumeclaims'],
    ['watch', 'pods'],
    ['create', 'secrets'],
    ['list', 'pods.metrics.k8s.io'],
  ] as const) {
    expect({ verb, resource, may: await may(verb, resource, AGENTS) }).toEqual({ verb, resource, may: 'yes' })
    expect({ verb, resource, may: await may(verb, resource, NAMESPACE) }).toEqual({ verb, resource, may: 'no' })
  }
  for (const [verb, resource] of [
    ['create', 'pods/exec'],
    ['create', 'pods/attach'],
    ['create', 'pods/portforward'],
    ['get', 'secrets'],
    ['list', 'secrets'],
    ['patch', 'secrets'],
    ['update', 'secrets'],
    ['patch', 'configmaps'],
    ['create', 'pods'],
    ['create', 'rolebindings.rbac.authorization.k8s.io'],
    ['patch', 'networkpolicies.networking.k8s.io'],
  ] as const)
    expect({ verb, resource, may: await may(verb, resource, AGENTS) }).toEqual({ verb, resource, may: 'no' })
}, 60_000)

test('an agent reaches the server’s internal port and names; not the pages, the database, Redis, the API server or another agent', async () => {
  const [server] = await serverPods()
  const services = `${NAMESPACE}.svc.cluster.local`
  const api = await kubectl('get', 'service', '-n', 'default', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}')
  const open = [`sac-internal.${services}:8082`, `${server?.status.podIP}:8082`]
  const closed = [
    `${server?.status.podIP}:9090`,
    `sac.${services}:80`,
    `${server?.status.podIP}:8080`,
    `sac-postgres.${services}:5432`,
    `sac-redis.${services}:6379`,
    `${api}:443`,
    '169.254.169.254:80',
    '1.1.1.1:443',
  ]
  const agent = JSON.parse(await asAgent('tenant-a', knocking(`${api}:443`, [...open, ...closed]), { app: 'claude-code', 'sac.dev/egress': 'none' }))
  expect(agent).toEqual(Object.fromEntries([...open.map((target) => [target, 'open']), ...closed.map((target) => [target, 'closed'])]))
  // Whoever is no agent gets nothing, not even a name.
  const stranger = JSON.parse(await asAgent('stranger', knocking(`${api}:443`, ['NAMES:53', `${server?.status.podIP}:8082`]), {}))
  expect(Object.values(stranger)).not.toContain('open')
}, 240_000)

test('one agent’s terminal port is closed to another agent', async () => {
  const listening = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tenant-b', namespace: AGENTS, labels: { app: 'claude-code' } },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'try',
          image: given('AGENT_IMAGE'),
          command: ['node', '-e', "require('node:net').createServer().listen(7681)"],
          securityContext: RESTRICTED,
          readinessProbe: { tcpSocket: { port: 7681 } },
        },
      ],
    },
  }
  expect((await tryKubectl(['apply', '-f', '-'], JSON.stringify(listening))).err).toBe('')
  await kubectl('wait', '-n', AGENTS, 'pod/tenant-b', '--for=condition=Ready', '--timeout=60s')
  const address = `${await kubectl('get', 'pod', '-n', AGENTS, 'tenant-b', '-o', 'jsonpath={.status.podIP}')}:7681`
  for (const egress of ['none', 'model', 'internet'])
    expect(JSON.parse(await asAgent(`tenant-c-${egress}`, knocking(address, [address]), { app: 'claude-code', 'sac.dev/egress': egress }))).toEqual({ [address]: 'closed' })
}, 240_000)

test('the API server itself refuses foreign images, changed labels and debug containers among the agents', async () => {
  const foreign = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'foreign', namespace: AGENTS },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'x', image: 'evil.test/x:1', securityContext: RESTRICTED }] },
  }
  expect((await tryKubectl(['apply', '-f', '-'], JSON.stringify(foreign))).err).toContain('This image is not among those that agents may use.')
  expect((await tryKubectl(['label', 'pod', '-n', AGENTS, 'tenant-b', '--overwrite', 'app=other'])).err).toContain('The labels that say whose pod this is stay as they are.')
  expect((await tryKubectl(['exec', '-n', AGENTS, 'tenant-b', '--', 'true'])).err).toContain('Nobody enters')
  const privileged = { ...foreign, spec: { ...foreign.spec, containers: [{ name: 'x', image: given('AGENT_IMAGE'), securityContext: { privileged: true } }] } }
  expect((await tryKubectl(['apply', '-f', '-'], JSON.stringify(privileged))).err).toContain('violates PodSecurity "restricted')
})

test('maintenance runs as a job and ends well', async () => {
  await kubectl('create', 'job', '-n', NAMESPACE, 'sweep-now', '--from=cronjob/sac-maintenance')
  await kubectl('wait', '-n', NAMESPACE, 'job/sweep-now', '--for=condition=Complete', '--timeout=60s')
}, 90_000)

test('an upgrade keeps every key, replaces the pods one by one and leaves the portal ready', async () => {
  const before = {
    keys: await secret('sac'),
    redis: await secret('sac-redis'),
    database: await secret('sac-postgres'),
    pods: (await serverPods()).map(({ metadata }) => metadata.name),
  }
  await helm('upgrade', 'sac', CHART, '-n', NAMESPACE, ...VALUES, '--set', 'log.level=debug', '--wait', '--timeout', '4m')
  expect({ keys: await secret('sac'), redis: await secret('sac-redis'), database: await secret('sac-postgres') }).toEqual({
    keys: before.keys,
    redis: before.redis,
    database: before.database,
  })
  await until(async () => (await serverPods()).length === 2, { timeoutMs: 60_000, intervalMs: 500, what: 'the old pods’ end' })
  const after = await serverPods()
  expect(after.filter(({ metadata }) => before.pods.includes(metadata.name))).toEqual([])
  await using service = await forward(NAMESPACE, 'sac', 80)
  expect((await fetch(`${service.url}/login`)).status).toBe(200)
}, 280_000)

test('an uninstall takes everything but what people’s work and its keys are in', async () => {
  await helm('uninstall', 'sac', '-n', NAMESPACE, '--wait', '--timeout', '2m')
  const kept = ['persistentvolumeclaim/data-sac-postgres-0', 'persistentvolumeclaim/sac-files', 'secret/sac', 'secret/sac-postgres']
  const left = async () => {
    const names = (await kubectl('get', 'all,secrets,pvc,networkpolicies,roles', '-n', NAMESPACE, '-o', 'name')).trim().split('\n')
    return names.filter((name) => !name.includes('sweep-now')).sort()
  }
  await until(async () => (await left()).length <= kept.length, { timeoutMs: 60_000, intervalMs: 500, what: 'the end of everything else' })
  expect(await left()).toEqual(kept)
  expect(await kubectl('get', 'namespace', AGENTS, '-o', 'jsonpath={.status.phase}')).toBe('Active')
}, 150_000)
