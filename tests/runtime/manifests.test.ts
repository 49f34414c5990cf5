// What is asked of a cluster for one agent, whole: nothing slips in or out unseen.
import { describe, expect, test } from 'bun:test'
import { agentFiles, secret, service } from '../../src/runtime/manifests/objects.ts'
import type { ClusterSettings } from '../../src/runtime/manifests/settings.ts'
import { emptySet, statefulSet } from '../../src/runtime/manifests/stateful-set.ts'
import { claimName, keyOfName, podHost, podName } from '../../src/runtime/names.ts'
import type { SandboxSpec } from '../../src/runtime/runtime.ts'

const SPEC: SandboxSpec = {
  userId: 7,
  agentId: 42,
  generation: 3,
  birth: null,
  environment: { ANTHROPIC_AUTH_TOKEN: 'sk-secret', MINE: 'ünï "quoted" $HOME' },
  resources: { cpuLimit: 0.5, memoryLimitBytes: 4 * 1024 ** 3, pidsLimit: 512 },
  claudeMd: 'Be brief.',
  sandboxToken: 'pod-token',
  internalUrl: 'http://sac-internal.sac.svc.cluster.local:8082',
  theme: 'light',
}
const SETTINGS: ClusterSettings = {
  installation: '5b0e',
  namespace: 'sac-agents',
  agentImage: 'registry.example.com/sac/agent:1',
  sidecarImage: 'registry.example.com/sac/sidecar:1',
  pullPolicy: 'IfNotPresent',
  pullSecrets: [],
  volume: { kind: 'pvc', size: '10Gi' },
  egress: 'model',
}
const LABELS = { app: 'claude-code', 'user-id': '7', 'agent-id': '42', 'sac.dev/installation': '5b0e', 'app.kubernetes.io/managed-by': 'sac' }
const SELECTOR = { app: 'claude-code', 'user-id': '7', 'agent-id': '42', 'sac.dev/installation': '5b0e' }
const OWNERS = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'claude-code-7-42', uid: 'set-uid-1234' }]
const ANNOTATIONS = { 'sac.dev/generation': '3', 'sac.dev/credential-key': 'key-1' }
const VARIABLES = [
  'ANTHROPIC_AUTH_TOKEN',
  'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
  'COLORTERM',
  'DISABLE_AUTOUPDATER',
  'HOME',
  'IS_SANDBOX',
  'LANG',
  'MINE',
  'PATH',
  'SAC_SOCKET',
  'SHELL',
  'TERM',
  'USER',
]
const CONFINED = { allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
const TERMINAL_ANSWERS = { tcpSocket: { port: 'terminal' }, timeoutSeconds: 2 }

test('the StatefulSet', () => {
  expect(statefulSet(SPEC, SETTINGS, 'key-1', 'set-uid-1234')).toEqual({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'claude-code-7-42', namespace: 'sac-agents', labels: LABELS, annotations: ANNOTATIONS },
    spec: {
      replicas: 1,
      serviceName: 'claude-code-7-42',
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 1,
      selector: { matchLabels: SELECTOR },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: {
        metadata: { labels: { ...LABELS, 'sac.dev/egress': 'model' }, annotations: ANNOTATIONS },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 15,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 10001,
            runAsGroup: 10001,
            fsGroup: 10001,
            fsGroupChangePolicy: 'OnRootMismatch',
            seccompProfile: { type: 'RuntimeDefault' },
          },
          tolerations: [
            { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
            { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 },
          ],
          containers: [
            {
              name: 'claude-code',
              image: 'registry.example.com/sac/agent:1',
              imagePullPolicy: 'IfNotPresent',
              command: ['/bin/sh', '/opt/sac/agent/entrypoint.sh'],
              workingDir: '/workspace',
              env: [
                ...VARIABLES.map((name) => ({ name, valueFrom: { secretKeyRef: { name: 'claude-code-7-42-3-set-uid-', key: `env.${name}` } } })),
                { name: 'SAC_PIDS_LIMIT', value: '512' },
              ],
              ports: [{ name: 'terminal', containerPort: 7681, protocol: 'TCP' }],
              resources: {
                requests: { cpu: '250m', memory: '536870912', 'ephemeral-storage': '256Mi' },
                limits: { cpu: '500m', memory: '4294967296', 'ephemeral-storage': '10Gi' },
              },
              securityContext: CONFINED,
              startupProbe: { ...TERMINAL_ANSWERS, periodSeconds: 1, failureThreshold: 60 },
              readinessProbe: { ...TERMINAL_ANSWERS, periodSeconds: 10, failureThreshold: 3 },
              livenessProbe: { ...TERMINAL_ANSWERS, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: 'data', mountPath: '/workspace', subPath: 'workspace' },
                { name: 'data', mountPath: '/home/agent', subPath: 'home' },
                { name: 'shared', mountPath: '/run/sac', readOnly: true },
                { name: 'start', mountPath: '/run/sac-start', readOnly: true },
                { name: 'files', mountPath: '/opt/sac/agent', readOnly: true },
                { name: 'files', mountPath: '/opt/sac/notify', subPath: 'notify.sh', readOnly: true },
                { name: 'files', mountPath: '/etc/claude-code/managed-settings.json', subPath: 'managed-settings.json', readOnly: true },
                { name: 'tmp', mountPath: '/tmp' },
                { name: 'var-tmp', mountPath: '/var/tmp' },
                { name: 'terminal', mountPath: '/run/terminal' },
              ],
            },
            {
              name: 'output-watcher',
              image: 'registry.example.com/sac/sidecar:1',
              imagePullPolicy: 'IfNotPresent',
              env: [
                { name: 'SAC_INTERNAL_URL', value: 'http://sac-internal.sac.svc.cluster.local:8082' },
                { name: 'SAC_TOKEN_FILE', value: '/run/secrets/sac/token' },
                { name: 'SAC_WATCH_DIR', value: '/workspace/output' },
                { name: 'SAC_JOURNAL', value: '/var/lib/sac/journal.sqlite' },
                { name: 'SAC_SOCKET', value: '/run/sac/sidecar.sock' },
              ],
              resources: { requests: { cpu: '20m', memory: '48Mi', 'ephemeral-storage': '16Mi' }, limits: { cpu: '500m', memory: '160Mi', 'ephemeral-storage': '64Mi' } },
              securityContext: CONFINED,
              volumeMounts: [
                { name: 'data', mountPath: '/workspace', subPath: 'workspace' },
                { name: 'data', mountPath: '/var/lib/sac', subPath: 'sidecar' },
                { name: 'shared', mountPath: '/run/sac' },
                { name: 'token', mountPath: '/run/secrets/sac', readOnly: true },
                { name: 'sidecar-tmp', mountPath: '/tmp' },
              ],
            },
          ],
          volumes: [
            { name: 'shared', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
            { name: 'files', configMap: { name: 'sac-agent-files', defaultMode: 0o555 } },
            {
              name: 'start',
              secret: {
                secretName: 'claude-code-7-42-3-set-uid-',
                defaultMode: 0o444,
                items: [
                  { key: 'credential', path: 'credential' },
                  { key: 'home.json', path: 'home.json' },
                  { key: 'CLAUDE.md', path: 'CLAUDE.md' },
                ],
              },
            },
            { name: 'token', secret: { secretName: 'claude-code-7-42-3-set-uid-', defaultMode: 0o400, items: [{ key: 'token', path: 'token' }] } },
            { name: 'tmp', emptyDir: { sizeLimit: '2Gi' } },
            { name: 'var-tmp', emptyDir: { sizeLimit: '2Gi' } },
            { name: 'terminal', emptyDir: { sizeLimit: '1Mi' } },
            { name: 'sidecar-tmp', emptyDir: { sizeLimit: '32Mi' } },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', labels: LABELS },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
        },
      ],
    },
  })
})

describe('what an operator chooses', () => {
  const setWith = (change: Partial<ClusterSettings>) => statefulSet(SPEC, { ...SETTINGS, ...change }, 'key-1', 'set-uid-1234').spec

  test('a runtime class, pull secrets, a storage class and the way out', () => {
    const spec = setWith({ runtimeClass: 'gvisor', pullSecrets: ['pull-a', 'pull-b'], volume: { kind: 'pvc', size: '1Gi', storageClass: 'fast' }, egress: 'none' })
    expect(spec?.template.spec).toMatchObject({ runtimeClassName: 'gvisor', imagePullSecrets: [{ name: 'pull-a' }, { name: 'pull-b' }] })
    expect(spec?.volumeClaimTemplates?.[0]?.spec).toEqual({ accessModes: ['ReadWriteOnce'], storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } })
    expect(spec?.template.metadata?.labels).toEqual({ ...LABELS, 'sac.dev/egress': 'none' })
  })

  test('what the settings choose goes before it: image, classes, sizes and requests; empty classes are the cluster’s own', () => {
    const operator = { ...SETTINGS, runtimeClass: 'gvisor', volume: { kind: 'pvc' as const, size: '1Gi', storageClass: 'fast' } }
    const choices = { image: 'example.com/agent:2', storageSize: '20Gi', storageClass: '', runtimeClass: '', cpuRequest: '2', memoryRequest: '1Gi', ephemeralStorageLimit: '128Mi' }
    const spec = statefulSet({ ...SPEC, choices }, operator, 'key-1', 'set-uid-1234').spec
    expect(spec?.template.spec?.containers[0]).toMatchObject({
      image: 'example.com/agent:2',
      resources: { requests: { cpu: '500m', memory: '1073741824', 'ephemeral-storage': '128Mi' }, limits: { cpu: '500m', memory: '4294967296', 'ephemeral-storage': '128Mi' } },
    })
    expect(spec?.template.spec?.runtimeClassName).toBeUndefined()
    expect(spec?.volumeClaimTemplates?.[0]?.spec).toEqual({ accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '20Gi' } } })
    // Nothing else differs from a start without choices.
    const { image: _image, resources: _resources, ...container } = spec?.template.spec?.containers[0] ?? { name: '' }
    const { image: _plainImage, resources: _plainResources, ...plain } = statefulSet(SPEC, operator, 'key-1', 'set-uid-1234').spec?.template.spec?.containers[0] ?? { name: '' }
    expect(container).toEqual(plain)
  })

  test('no image, and an operator’s choice of no volume, stay', () => {
    const spec = statefulSet({ ...SPEC, choices: { image: '', storageSize: '20Gi' } }, { ...SETTINGS, volume: { kind: 'emptydir' } }, 'key-1', 'set-uid-1234').spec
    expect(spec?.template.spec?.containers[0]?.image).toBe('registry.example.com/sac/agent:1')
    expect(spec?.volumeClaimTemplates).toBeUndefined()
  })

  test('an address by which a sandbox proves that its network is closed', () => {
    const env = setWith({ closedAddress: 'sac.sac.svc:80' })?.template.spec?.containers[1]?.env
    expect(env).toContainEqual({ name: 'SAC_CLOSED_ADDRESS', value: 'sac.sac.svc:80' })
  })

  test('no volume: files live and die with the pod', () => {
    const spec = setWith({ volume: { kind: 'emptydir' } })
    expect(spec?.volumeClaimTemplates).toBeUndefined()
    expect(spec?.template.spec?.volumes?.[0]).toEqual({ name: 'data', emptyDir: { sizeLimit: '10Gi' } })
  })
})

test('requests are never above the limits', () => {
  const small = { ...SPEC, resources: { cpuLimit: 0.1, memoryLimitBytes: 256 * 1024 ** 2, pidsLimit: 64 } }
  expect(statefulSet(small, SETTINGS, 'key-1', 'set-uid-1234').spec?.template.spec?.containers[0]?.resources).toEqual({
    requests: { cpu: '100m', memory: '268435456', 'ephemeral-storage': '256Mi' },
    limits: { cpu: '100m', memory: '268435456', 'ephemeral-storage': '10Gi' },
  })
})

test('no secret value is in the StatefulSet', () => {
  const text = JSON.stringify(statefulSet(SPEC, SETTINGS, 'key-1', 'set-uid-1234'))
  for (const value of ['sk-secret', 'pod-token', 'quoted', 'Be brief']) expect(text).not.toContain(value)
})

test('what holds the name until it is filled has no pod, no keys and the same parts that cannot be changed later', () => {
  const whole = statefulSet(SPEC, SETTINGS, 'key-1', 'set-uid-1234')
  const { replicas, template, ...rest } = emptySet(whole).spec ?? {}
  const { replicas: _one, template: _pod, ...same } = whole.spec ?? {}
  expect([replicas, rest]).toEqual([0, same as typeof rest])
  const containers = [
    { name: 'claude-code', image: 'registry.example.com/sac/agent:1' },
    { name: 'output-watcher', image: 'registry.example.com/sac/sidecar:1' },
  ]
  expect(template).toEqual({ metadata: { labels: { ...LABELS, 'sac.dev/egress': 'model' }, annotations: ANNOTATIONS }, spec: { containers } })
})

test('the headless Service', () => {
  expect(service(SPEC, SETTINGS, 'set-uid-1234')).toEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'claude-code-7-42', namespace: 'sac-agents', labels: LABELS, ownerReferences: OWNERS },
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: SELECTOR, ports: [{ name: 'terminal', port: 7681, targetPort: 'terminal', protocol: 'TCP' }] },
  })
})

test('the Secret', () => {
  const { data, ...rest } = secret(SPEC, SETTINGS, 'sac:credential', 'set-uid-1234')
  const metadata = { name: 'claude-code-7-42-3-set-uid-', namespace: 'sac-agents', labels: LABELS, ownerReferences: OWNERS }
  expect(rest).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', immutable: true })
  const opened = Object.fromEntries(Object.entries(data ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]))
  const { 'home.json': home = '', ...plain } = opened
  expect(plain).toEqual({
    token: 'pod-token',
    credential: 'sac:credential',
    'CLAUDE.md': 'Be brief.',
    'env.ANTHROPIC_AUTH_TOKEN': 'sk-secret',
    'env.CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC': '1',
    'env.COLORTERM': 'truecolor',
    'env.DISABLE_AUTOUPDATER': '1',
    'env.HOME': '/home/agent',
    'env.IS_SANDBOX': '1',
    'env.LANG': 'C.UTF-8',
    'env.MINE': 'ünï "quoted" $HOME',
    'env.PATH': '/home/agent/.local/bin:/usr/local/bin:/usr/bin:/bin',
    'env.SAC_SOCKET': '/run/sac/sidecar.sock',
    'env.SHELL': '/bin/bash',
    'env.TERM': 'xterm-256color',
    'env.USER': 'agent',
  })
  expect(JSON.parse(home)).toMatchObject({ theme: 'light', seeds: [{ file: '.claude.json' }, { file: '.claude/settings.json' }] })
})

test('an agent cannot name its home or the sidecar’s socket elsewhere', () => {
  const { data = {} } = secret({ ...SPEC, environment: { HOME: '/root', SAC_SOCKET: '/tmp/x' } }, SETTINGS, 'c', 'set-uid-1234')
  expect([atob(data['env.HOME'] ?? ''), atob(data['env.SAC_SOCKET'] ?? '')]).toEqual(['/home/agent', '/run/sac/sidecar.sock'])
})

test('the shared files', () => {
  expect(agentFiles({ 'loop.sh': 'text' }, 'sac-agents')).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'sac-agent-files', namespace: 'sac-agents', labels: { 'app.kubernetes.io/managed-by': 'sac' } },
    data: { 'loop.sh': 'text' },
  })
})

test('names lead to their agent and back, and nothing else does', () => {
  const key = { userId: 7, agentId: 42 }
  for (const name of ['claude-code-7-42', podName(key), claimName({ ...key, birth: null }), claimName({ ...key, birth: 'c0ffee12-0000-4000-8000-000000000000' })])
    expect(keyOfName(name)).toEqual(key)
  for (const name of [
    'claude-code-7',
    'claude-code-07-42',
    'claude-code-7-42-1',
    'claude-code-7-42-0-x',
    'data-coffee12-claude-code-7-42-0',
    'x-claude-code-7-42',
    'claude-code-a-b',
    '',
  ])
    expect(keyOfName(name)).toBeUndefined()
  expect(podHost(key, 'sac-agents', 'cluster.local')).toBe('claude-code-7-42-0.claude-code-7-42.sac-agents.svc.cluster.local')
})
