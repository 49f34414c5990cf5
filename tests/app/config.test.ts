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
