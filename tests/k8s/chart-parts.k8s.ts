// Parts of the chart that a choice brings or takes, each as a whole object: budgets, scaling, figures, and what every program may know.
import { expect, test } from 'bun:test'
import { type Drawn, draw, named, podOf, refusal } from './drawing.ts'

const S3 = { type: 's3', s3: { bucket: 'files', accessKeyId: 'key-id', secretAccessKey: 'key-secret' } }
const FREE = { publicUrl: 'https://sac.example.com', database: { host: 'db.example.com', password: 'of-the-database' }, storage: S3 }
const EXISTING = {
  publicUrl: 'https://sac.example.com',
  database: { host: 'db.example.com', existingSecret: 'my-db' },
  redis: { enabled: false, existingSecret: 'my-redis' },
  storage: { type: 's3', s3: { bucket: 'files', existingSecret: 'my-s3' } },
  secrets: { existingSecret: 'my-keys' },
}
const SELECTOR = { 'app.kubernetes.io/name': 'sac', 'app.kubernetes.io/instance': 'sac', 'app.kubernetes.io/component': 'server' }

const one = async (values: object, kind: string, name = 'sac'): Promise<Drawn> => named(await draw(values), kind, name)[0]
/** An environment as names and where they come from. */
const environment = (container: Drawn) =>
  Object.fromEntries(container.env.map(({ name, value, valueFrom }: Drawn) => [name, value ?? `${valueFrom.secretKeyRef.name}/${valueFrom.secretKeyRef.key}`])) as Record<
    string,
    string
  >
const secretsOf = (container: Drawn) => container.env.filter(({ valueFrom }: Drawn) => valueFrom).map(({ name }: Drawn) => name)
const containersOf = (object: Drawn) => [...(podOf(object).initContainers ?? []), ...podOf(object).containers]

test('a budget lets one server go at a time, even one that is not ready', async () => {
  const { spec } = await one(FREE, 'PodDisruptionBudget')
  expect(spec).toEqual({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: SELECTOR } })
  expect((await one({ ...FREE, server: { podDisruptionBudget: { maxUnavailable: '50%' } } }, 'PodDisruptionBudget')).spec.maxUnavailable).toBe('50%')
})

test.each<[string, object]>([
  ['one replica', { ...FREE, server: { replicas: 1 } }],
  ['one replica at the least', { ...FREE, server: { autoscaling: { enabled: true, minReplicas: 1 } } }],
  ['all replicas on one node', { ...FREE, storage: { type: 'filesystem' } }],
  ['none wanted', { ...FREE, server: { podDisruptionBudget: { enabled: false } } }],
])('no budget keeps a node from being emptied: %s', async (_what, values) => {
  expect(named(await draw(values), 'PodDisruptionBudget')).toEqual([])
})

test('a budget that would let nothing go is refused', async () => {
  expect(await refusal({ ...FREE, server: { podDisruptionBudget: { maxUnavailable: 0 } } })).toMatch(/podDisruptionBudget\/maxUnavailable/)
  expect(await refusal({ ...FREE, server: { podDisruptionBudget: { maxUnavailable: '0%' } } })).toMatch(/podDisruptionBudget\/maxUnavailable/)
})

test('scaling by load sets the number of servers in place of the Deployment, and takes them away slowly', async () => {
  expect((await one(FREE, 'Deployment')).spec.replicas).toBe(2)
  expect(named(await draw(FREE), 'HorizontalPodAutoscaler')).toEqual([])
  const scaled = { ...FREE, server: { autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 9, targetCPU: 60 } } }
  expect((await one(scaled, 'Deployment')).spec).not.toHaveProperty('replicas')
  expect((await one(scaled, 'HorizontalPodAutoscaler')).spec).toEqual({
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sac' },
    minReplicas: 3,
    maxReplicas: 9,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }],
    behavior: { scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }] } },
  })
})

test('a ServiceMonitor finds the figures by the labels of their Service, and nothing of it is there unless wanted', async () => {
  const on = { ...FREE, metrics: { enabled: true, serviceMonitor: { enabled: true, interval: '15s', labels: { release: 'prometheus' } } } }
  const monitor = await one(on, 'ServiceMonitor')
  expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' })
  expect(monitor.spec.endpoints).toEqual([{ port: 'metrics', path: '/metrics', interval: '15s' }])
  const service = await one(on, 'Service', 'sac-metrics')
  expect(service.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels)
  expect(service.spec).toEqual({ clusterIP: 'None', selector: SELECTOR, ports: [{ name: 'metrics', port: 9090, targetPort: 'metrics' }] })
  expect(podOf(await one(on, 'Deployment')).containers[0].ports).toContainEqual({ name: 'metrics', containerPort: 9090 })
  for (const values of [FREE, { ...FREE, metrics: { serviceMonitor: { enabled: true } } }]) expect(named(await draw(values), 'ServiceMonitor')).toEqual([])
})

test('a server leaves in order: out of the load balancers first, then with time for what runs', async () => {
  const pod = podOf(await one({ ...FREE, server: { drainSeconds: 12, terminationGracePeriodSeconds: 40 } }, 'Deployment'))
  expect(pod.containers[0].lifecycle).toEqual({ preStop: { sleep: { seconds: 12 } } })
  expect(pod.terminationGracePeriodSeconds).toBe(40)
  expect(await refusal({ ...FREE, server: { drainSeconds: 20 } })).toContain('terminationGracePeriodSeconds must be 15 more')
})

test('each job knows what it needs and nothing else', async () => {
  const database = { DB_POOL_SIZE: '10', DB_START_WAIT_S: '120', DB_HOST: 'db.example.com', DB_PORT: '5432', DB_NAME: 'sac', DB_USER: 'sac' }
  const program = { RUNTIME: 'local', LOG_LEVEL: 'info', LOG_FORMAT: 'json' }
  const files = { STORAGE_TYPE: 's3', S3_BUCKET: 'files', S3_REGION: 'us-east-1', S3_ENDPOINT: '', S3_PREFIX: '' }
  const objects = await draw(FREE)
  const [up, seed] = containersOf(named(objects, 'Job', 'sac-migrate')[0])
  expect(environment(up)).toEqual({ ...program, ...database, DB_PASSWORD: 'sac-migrate/database-password' })
  expect(environment(seed)).toEqual({ ...environment(up), ADMIN_PASSWORD: 'sac-migrate/admin-password' })
  const [sweep] = containersOf(named(objects, 'CronJob', 'sac-maintenance')[0])
  expect(environment(sweep)).toEqual({
    ...program,
    ...database,
    DB_PASSWORD: 'sac-connections/database-password',
    ...files,
    S3_ACCESS_KEY_ID: 'sac-connections/access-key-id',
    S3_SECRET_ACCESS_KEY: 'sac-connections/secret-access-key',
  })
  expect(secretsOf(containersOf(named(objects, 'Deployment', 'sac')[0])[0])).toEqual([
    'JWT_SECRET',
    'SECRET_KEYS',
    'ADMIN_PASSWORD',
    'DB_PASSWORD',
    'REDIS_PASSWORD',
    'S3_ACCESS_KEY_ID',
    'S3_SECRET_ACCESS_KEY',
  ])
})

test('the job of an upgrade brings its passwords along: the Secrets of the new version come after it', async () => {
  const objects = await draw(FREE)
  const [secret, job] = [named(objects, 'Secret', 'sac-migrate')[0], named(objects, 'Job', 'sac-migrate')[0]]
  expect(job.metadata.annotations['helm.sh/hook']).toBe('post-install,pre-upgrade')
  expect(secret.metadata.annotations).toEqual({
    'helm.sh/hook': 'post-install,pre-upgrade',
    'helm.sh/hook-weight': '-1',
    'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
  })
  expect(secret.data).toEqual({ 'database-password': btoa('of-the-database'), 'admin-password': named(objects, 'Secret', 'sac')[0].data['admin-password'] })
  expect((await draw({ ...FREE, database: { host: 'db.example.com' } })).find(({ metadata }) => metadata.name === 'sac-migrate').data['database-password']).toBe('')
  // Whoever has Secrets of their own needs none of ours.
  const theirs = await draw(EXISTING)
  expect(named(theirs, 'Secret')).toEqual([])
  const [, seed] = containersOf(named(theirs, 'Job', 'sac-migrate')[0])
  expect(environment(seed)).toMatchObject({ DB_PASSWORD: 'my-db/password', ADMIN_PASSWORD: 'my-keys/admin-password' })
})

test('new passwords of services begin new pods, and a pod’s annotations do not tell which ones', async () => {
  const note = async (values: object) => (await one(values, 'Deployment')).spec.template.metadata.annotations?.['sac.dev/connections']
  // The key is another one in each drawing, as it is in each installation.
  expect(await note(FREE)).toMatch(/^[0-9a-f]{32}$/)
  expect(await note(FREE)).not.toBe(await note(FREE))
  expect(await note(EXISTING)).toBeUndefined()
  expect((await one(EXISTING, 'Deployment')).spec.template.metadata).not.toHaveProperty('annotations')
})

test('a shared Gateway is used as it is; one of our own ends TLS and sends plain requests there', async () => {
  const shared = await draw({ ...FREE, gateway: { enabled: true, parentRefs: [{ name: 'shared', namespace: 'gateways' }] } })
  expect(shared.filter(({ apiVersion }) => /gateway/.test(apiVersion)).map(({ kind }) => kind)).toEqual(['BackendTrafficPolicy', 'HTTPRoute'])
  const own = await draw({ ...FREE, gateway: { enabled: true, tlsSecret: 'tls' } })
  expect(
    own
      .filter(({ apiVersion }) => /gateway/.test(apiVersion))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      .sort(),
  ).toEqual(['BackendTrafficPolicy sac', 'ClientTrafficPolicy sac', 'Gateway sac', 'HTTPRoute sac', 'HTTPRoute sac-to-https'])
  const route = named(own, 'HTTPRoute', 'sac')[0]
  expect(route.spec.rules).toEqual([
    { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ name: 'sac', port: 80 }], timeouts: { request: '0s', backendRequest: '0s' } },
  ])
  expect(named(own, 'BackendTrafficPolicy')[0].spec.timeout.http).toEqual({
    requestTimeout: '0s',
    connectionIdleTimeout: '3600s',
    maxConnectionDuration: '0s',
    streamIdleTimeout: '3600s',
  })
})

test('the server’s rights are these, all of them among the agents', async () => {
  const objects = await draw(FREE)
  const roles = named(objects, 'Role')
  expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['sac-agents'])
  const rights = (role: Drawn) => role.rules.map(({ resources, resourceNames, verbs }: Drawn) => `${resources} ${resourceNames ? `${resourceNames} ` : ''}${verbs}`)
  expect(rights(roles[0])).toEqual([
    'statefulsets get,list,watch,create,patch,delete',
    'services get,create,patch,delete',
    'secrets create,delete',
    'persistentvolumeclaims get,list,patch,delete',
    'pods get,list,watch,delete',
    'events list,watch',
    'namespaces sac-agents get',
    'pods list',
  ])
  expect(named(objects, 'ClusterRole').map(rights)).toEqual([['storageclasses get,list', 'runtimeclasses get,list']])
  expect(named(await draw({ ...FREE, rbac: { clusterRead: false } }), 'ClusterRole')).toEqual([])
})
