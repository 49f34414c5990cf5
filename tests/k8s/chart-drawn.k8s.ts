// The chart as text: main variants, refused values, and what no variant may contain.
import { describe, expect, test } from 'bun:test'
import { isHostPattern } from '../../src/lib/url-rules.ts'
import { BASE, type Drawn, draw, named, podOf, refusal } from './drawing.ts'
import { CHART, helm, tryKubectl, valuesFile } from './shell.ts'

const GATEWAYS =
  'Install the CRDs of Gateway API and of Envoy Gateway, https://gateway.envoyproxy.io/docs/install/ says how: `helm template eg oci://docker.io/envoyproxy/gateway-crds-helm | kubectl apply --server-side -f -`.'

const VARIANTS: Record<string, object> = {
  'a trial': BASE,
  'external services': {
    publicUrl: 'https://sac.example.com',
    database: { host: 'db.example.com', existingSecret: 'db' },
    redis: { enabled: false, existingSecret: 'redis' },
    storage: { type: 's3', s3: { bucket: 'sac', existingSecret: 's3' } },
    secrets: { existingSecret: 'keys' },
  },
  'an Ingress': { ...BASE, ingress: { enabled: true, className: 'nginx', tlsSecret: 'tls' } },
  'a Gateway of its own': { ...BASE, gateway: { enabled: true, tlsSecret: 'tls', createClass: true } },
  'a Gateway that is there': { ...BASE, gateway: { enabled: true, parentRefs: [{ name: 'shared', namespace: 'gateways' }] } },
  'everything on': {
    ...BASE,
    server: { autoscaling: { enabled: true }, trustedProxies: ['10.0.0.0/8'], extraEnv: [{ name: 'LOG_LEVEL', value: 'debug' }] },
    admissionPolicy: { enabled: true },
    metrics: { enabled: true },
    networkPolicy: { metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] },
    agents: { egress: 'internet', runtimeClass: 'gvisor', resourceQuota: { enabled: true }, limitRange: { enabled: true } },
  },
}

test('helm finds nothing to complain about', async () => {
  using file = valuesFile(BASE)
  expect(await helm('lint', '--strict', CHART, '-f', file.path)).toContain('1 chart(s) linted, 0 chart(s) failed')
})

describe.each(Object.entries(VARIANTS))('with %s', (_name, values) => {
  test('every pod is restricted, and only the server’s has a service account’s token', async () => {
    const pods = (await draw(values)).filter(podOf)
    expect(pods.length).toBeGreaterThan(1)
    for (const object of pods) {
      const pod = podOf(object)
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
        expect(container.image).toMatch(/[:@][^:@]+$/)
      }
      if (object.metadata.name !== 'sac') expect(pod.automountServiceAccountToken).toBe(false)
    }
  })

  test('no route names the internal Service, and no pod spec holds a secret', async () => {
    const objects = await draw(values)
    const routes = objects.filter(({ kind }) => ['Ingress', 'HTTPRoute'].includes(kind))
    expect(JSON.stringify(routes)).not.toContain('internal')
    const passwords = named(objects, 'Secret').flatMap(({ data, stringData }) => [
      ...Object.values<string>(data ?? {}).map((text) => Buffer.from(text, 'base64').toString()),
      ...Object.values<string>(stringData ?? {}),
    ])
    const rest = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'))
    for (const password of passwords.filter((text) => text.length >= 12)) expect(rest).not.toContain(password)
  })

  test('the server may neither enter pods nor read or change Secrets', async () => {
    const rules = [...named(await draw(values), 'Role'), ...named(await draw(values), 'ClusterRole')].flatMap((role) => role.rules)
    expect(JSON.stringify(rules)).not.toMatch(/exec|attach|portforward|"\*"/)
    const secrets = rules.filter((rule) => rule.resources.includes('secrets'))
    expect(secrets.map((rule) => rule.verbs)).toEqual([['create', 'delete']])
  })
})

test('a Secret is made with keys that the server accepts, anew for every installation', async () => {
  const [first, second] = [named(await draw(BASE), 'Secret', 'sac')[0], named(await draw(BASE), 'Secret', 'sac')[0]]
  const text = (secret: Drawn, key: string) => Buffer.from(secret.data[key], 'base64').toString()
  expect(text(first, 'jwt-secret')).toMatch(/^\w{48}$/)
  expect(text(first, 'secret-keys')).toMatch(/^[0-9a-f]{64}$/)
  expect(text(first, 'jwt-secret')).not.toBe(text(second, 'jwt-secret'))
})

test('an entry of extraEnv takes the place of the chart’s own', async () => {
  const [server] = named(await draw(VARIANTS['everything on'] ?? {}), 'Deployment', 'sac')
  expect(podOf(server).containers[0].env.filter(({ name }: Drawn) => name === 'LOG_LEVEL')).toEqual([{ name: 'LOG_LEVEL', value: 'debug' }])
})

test('a trial brings its own database and Redis, external services take their place', async () => {
  const names = (objects: Drawn[]) =>
    objects
      .filter(podOf)
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      .sort()
  const ours = ['CronJob sac-maintenance', 'Deployment sac', 'Job sac-migrate']
  expect(names(await draw(BASE))).toEqual([...ours, 'Deployment sac-redis', 'StatefulSet sac-postgres'].sort())
  expect(names(await draw(VARIANTS['external services'] ?? {}))).toEqual(ours)
})

test('replicas that share a volume of one node run on one node, others are free', async () => {
  const affinity = async (values: object) => podOf(named(await draw(values), 'Deployment', 'sac')[0]).affinity
  expect((await affinity(BASE)).podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey).toBe('kubernetes.io/hostname')
  expect(await affinity(VARIANTS['external services'] ?? {})).toBeUndefined()
  // A budget for replicas that can only go together would keep their node from ever being emptied.
  expect(named(await draw(BASE), 'PodDisruptionBudget')).toEqual([])
  expect(named(await draw(VARIANTS['external services'] ?? {}), 'PodDisruptionBudget')[0].spec.maxUnavailable).toBe(1)
})

test('agents on the internet never reach private networks or the metadata address', async () => {
  const policies = named(await draw({ ...BASE, agents: { blockedNetworks: ['203.0.113.0/24'] } }), 'NetworkPolicy')
  const internet = policies.find((policy) => policy.metadata.name === 'sac-egress-internet')
  const [v4] = internet.spec.egress[0].to
  expect(v4.ipBlock.except).toEqual(
    expect.arrayContaining(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '203.0.113.0/24']),
  )
  // Of IPv6 the global networks only: neither unique local ones, nor link-local ones, nor those that carry IPv4 addresses.
  expect(internet.spec.egress[0].to[1].ipBlock).toEqual({ cidr: '2000::/3', except: ['2001::/32', '2002::/16'] })
  expect(policies.find((policy) => policy.metadata.name === 'sac-deny').spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
})

test('a model inside of the organisation is opened to agents that may reach a model, and its hosts are told to the portal', async () => {
  const to = [{ ipBlock: { cidr: '10.20.0.0/24' } }]
  const drawn = await draw({ ...BASE, agents: { modelGateways: [{ hosts: ['llm.corp.internal', '10.20.0.0/24'], to, ports: [8443] }] } })
  const [policy] = named(drawn, 'NetworkPolicy', 'sac-egress-gateway-0')
  expect(policy.spec.podSelector.matchExpressions).toEqual([{ key: 'sac.dev/egress', operator: 'In', values: ['model', 'internet'] }])
  expect(policy.spec.egress).toEqual([{ to, ports: [{ protocol: 'TCP', port: 8443 }] }])
  expect(podOf(named(drawn, 'Deployment', 'sac')[0]).containers[0].env).toContainEqual({ name: 'MODEL_PRIVATE_HOSTS', value: 'llm.corp.internal,10.20.0.0/24' })
})

test.each([
  ['no address', { postgres: { enabled: true } }, /publicUrl/],
  ['an address with a path', { ...BASE, publicUrl: 'https://sac.example.com/portal' }, /publicUrl/],
  ['no database', { publicUrl: 'https://sac.example.com' }, /database\.host is not set/],
  ['a value that is not there', { ...BASE, redis: { persistence: true } }, /persistence/],
  ['an amount that is none', { ...BASE, agents: { storage: { size: 'much' } } }, /agents\/storage\/size/],
  ['a preset that is none', { ...BASE, agents: { egress: 'all' } }, /agents\/egress/],
  ['agents beside the portal', { ...BASE, agents: { namespace: 'sac' } }, /must not be the portal's own namespace/],
  ['S3 without a bucket', { ...BASE, storage: { type: 's3' } }, /storage\.s3\.bucket/],
  ['TLS without a certificate', { ...BASE, gateway: { enabled: true } }, /gateway\.tlsSecret/],
  ['a short first password', { ...BASE, admin: { password: 'short' } }, /admin\/password/],
])('refused with its name: %s', async (_what, values, name) => {
  expect(await refusal(values)).toMatch(name)
})

/** Hosts of models as people may write them. */
const HOSTS = ['llm', 'llm.corp.internal', '*.models.example', '10.20.0.5', '10.20.0.0/24', 'fd00::1', 'fd00:20::/48', '2001:db8:1:2:3:4:5:6', '1.example', '--x']
const NO_HOSTS = ['llm:8443', '10.0.0.5:8443', 'llm/24', '10.0.0.0/33', '10.0.0', '10.0.0.256', '010.0.0.1', 'fd00::/129', 'fd00::1::2', 'x..y', '-x', 'x-', '*', '']

const withHosts = (...hosts: string[]) => ({ ...BASE, agents: { modelGateways: [{ hosts, to: [{ podSelector: {} }], ports: [443] }] } })

test('a host of a model is taken or refused as the server takes or refuses it', async () => {
  const [fine, odd] = [HOSTS.filter(isHostPattern), [...NO_HOSTS, ...HOSTS].filter((host) => !isHostPattern(host))]
  expect(odd).toEqual([...NO_HOSTS, '--x'])
  expect(await refusal(withHosts(...fine))).toBe('accepted')
  for (const host of odd) expect(await refusal(withHosts(host)), host).toContain('agents/modelGateways/0/hosts/0')
})

test.each<[string, object, RegExp]>([
  ['a proxy that is a name', { server: { trustedProxies: ['ingress'] } }, /server\/trustedProxies\/0/],
  ['a network with too many bits', { server: { trustedProxies: ['10.0.0.0/40'] } }, /server\/trustedProxies\/0/],
  ['a network that is an address', { agents: { blockedNetworks: ['10.0.0.1'] } }, /agents\/blockedNetworks\/0/],
  ['a port that is none', { publicUrl: 'https://sac.example.com:70000' }, /publicUrl/],
  ['an image with its tag twice', { images: { agent: { repository: 'sac/agent:1' } } }, /images\/agent\/repository/],
  ['an image without a name', { images: { sidecar: { repository: 'sac//sidecar' } } }, /images\/sidecar\/repository/],
  ['a registry with a scheme', { images: { registry: 'https://registry.example.com' } }, /images\/registry/],
  ['a pull secret that is no name', { images: { pullSecrets: ['Mine'] } }, /images\/pullSecrets\/0/],
  ['a class that is no name', { agents: { runtimeClass: 'a..b' } }, /agents\/runtimeClass/],
  ['a volume of nothing', { agents: { storage: { size: '0' } } }, /agents\/storage\/size/],
  ['a domain that is none', { clusterDomain: 'cluster..local' }, /clusterDomain/],
  ['a store without a host', { storage: { type: 's3', s3: { endpoint: 'http://minio:x', bucket: 'sac' } } }, /storage\/s3\/endpoint/],
  ['a database that is a URL', { postgres: { enabled: false }, database: { host: 'postgres://db' } }, /database\/host/],
])('refused before a server dies of it: %s', async (_what, values, name) => {
  expect(await refusal({ ...BASE, ...values })).toMatch(name)
})

test('what is written with care is accepted', async () => {
  const images = { registry: 'registry.example.com:5000/team/', agent: { repository: 'my_org/agent-of.ours' }, pullSecrets: ['my.pull-secret'] }
  const agents = { storage: { size: '0.5Gi', class: 'fast.ssd' }, runtimeClass: 'gvisor', blockedNetworks: ['fd00:1::/32', '0.0.0.0/0'] }
  const storage = { type: 's3', s3: { endpoint: 'http://[fd00::9]:9000', bucket: 'sac' } }
  const database = { host: 'db_1.example.com', password: 'x' }
  const server = { trustedProxies: ['::1', '10.0.0.0/8', '192.0.2.1'] }
  expect(await refusal({ publicUrl: 'http://sac:8080', images, agents, storage, database, server, clusterDomain: 'k8s.example' })).toBe('accepted')
  expect(await refusal({ ...BASE, images: { agent: { repository: 'localhost:5000/sac/agent' } }, agents: { storage: { size: 10737418240 } } })).toBe('accepted')
})

test('the cluster accepts every object of every variant, Gateway API and Envoy Gateway included', async () => {
  const { out } = await tryKubectl(['get', 'crd', '-o', 'name'])
  for (const name of ['httproutes.gateway.networking.k8s.io', 'backendtrafficpolicies.gateway.envoyproxy.io'])
    if (!out.includes(name)) throw new Error(`The cluster does not know ${name}. ${GATEWAYS}`)
  for (const [name, values] of Object.entries(VARIANTS)) {
    // Namespaces of its own objects are not there in a dry run.
    const objects = (await draw(values))
      .filter(({ kind }) => kind !== 'Namespace')
      .map((object) => ({ ...object, metadata: { ...object.metadata, ...(object.metadata.namespace ? { namespace: 'default' } : {}) } }))
    const list = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: objects.map((object) => ({ ...object, metadata: { ...object.metadata, name: `dry-${object.metadata.name}` } })),
    })
    const { code, err } = await tryKubectl(['apply', '--dry-run=server', '-n', 'default', '-f', '-'], list)
    expect({ name, code, err: err.replace(/^Warning:.*$/gm, '').trim() }).toEqual({ name, code: 0, err: '' })
  }
})
