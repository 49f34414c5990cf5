import { expect, test } from 'bun:test'
import { ConfigError, readConfig } from '../../src/config.ts'

const S3 = { STORAGE_TYPE: 's3', S3_BUCKET: 'sac', S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'key' }
const problemsOf = (env: Record<string, string>): string => {
  try {
    readConfig({ RUNTIME: 'local', ...env })
    return ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
  }
}

test('files lie in the folder of the portal unless S3 is named', () => {
  expect(readConfig({ RUNTIME: 'local' }).s3).toBeUndefined()
  expect(readConfig({ RUNTIME: 'local', ...S3, S3_PREFIX: '/portal' }).s3).toMatchObject({ bucket: 'sac', region: 'us-east-1', prefix: 'portal/', endpoint: undefined })
})

test.each([
  ['S3_BUCKET', { ...S3, S3_BUCKET: '' }],
  ['S3_SECRET_ACCESS_KEY', { ...S3, S3_SECRET_ACCESS_KEY: '' }],
  ['S3_ENDPOINT', { ...S3, S3_ENDPOINT: 'minio:9000' }],
  ['STORAGE_TYPE', { STORAGE_TYPE: 'tape' }],
  ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '10.0.0.0/40' }],
  ['TRUSTED_PROXIES', { TRUSTED_PROXIES: 'ingress.example.com' }],
])('a bad %s is refused with its name', (name, env) => {
  expect(problemsOf(env)).toContain(name)
})

const CLUSTER = {
  RUNTIME: 'kubernetes',
  KUBECONFIG_PATH: '/kubeconfig',
  INTERNAL_URL: 'http://sac-internal.sac.svc.cluster.local:8082',
  DOCKER_IMAGE: 'sac/agent:1',
  SIDECAR_IMAGE: 'sac/sidecar:1',
}

test('models inside of the organisation are names, addresses and networks; the cluster’s domain is its own', () => {
  const { cluster } = readConfig({ ...CLUSTER, MODEL_PRIVATE_HOSTS: 'LLM.corp.internal, *.models.example,10.20.0.0/24', CLUSTER_DOMAIN: 'k8s.example' })
  expect(cluster).toMatchObject({ privateModels: ['llm.corp.internal', '*.models.example', '10.20.0.0/24'], clusterDomain: 'k8s.example' })
  expect(readConfig(CLUSTER).cluster).toMatchObject({ privateModels: [], clusterDomain: 'cluster.local' })
  expect(() => readConfig({ ...CLUSTER, MODEL_PRIVATE_HOSTS: 'http://llm.corp.internal' })).toThrow('MODEL_PRIVATE_HOSTS')
})
