// `npm run test:k8s` before it begins: what is missing is said at once, and what is left out is told.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { lacking } from '../k8s/given.ts'

const IMAGES = { SERVER_IMAGE: 'sac/server:1', SIDECAR_IMAGE: 'sac/sidecar:1', AGENT_IMAGE: 'sac/agent:1' }
// A cluster that says that it is ready; nothing goes on to use it here.
const CLUSTER = { KUBECONFIG: import.meta.path, KUBECTL_BIN: 'true', HELM_BIN: 'true' }
const STORE = { S3_ENDPOINT: 'http://127.0.0.1:1', S3_BUCKET: 'b', S3_ACCESS_KEY_ID: 'i', S3_SECRET_ACCESS_KEY: 's' }

async function begin(env: Record<string, string>, ...words: string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '..', '..', 'scripts', 'test-k8s.ts'), ...words], {
    env: { PATH: process.env.PATH, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { out: out.trim(), err, code }
}

test('without a cluster and images nothing begins, and each of them is named with a way to get it', async () => {
  const { out, err, code } = await begin({})
  expect({ out, code }).toEqual({ out: '0 passed, 1 failed, 0 skipped', code: 1 })
  for (const name of ['KUBECONFIG', ...Object.keys(IMAGES)]) expect(err).toContain(`${name} is not set. `)
  expect(err).toContain('kind create cluster')
})

test('a suite that is asked for by name, or with --all, does not begin without what it needs', async () => {
  const node = await begin({ ...CLUSTER, ...IMAGES, ...STORE }, '--all')
  expect({ out: node.out, code: node.code }).toEqual({ out: '0 passed, 1 failed, 0 skipped', code: 1 })
  expect(node.err).toContain('faults-agent.k8s.ts, faults-portal.k8s.ts, network.k8s.ts: NODE_COMMAND is not set. ')
  expect(node.err).not.toContain('S3_')
  const store = await begin({ ...CLUSTER, ...IMAGES }, 's3')
  expect({ out: store.out, code: store.code }).toEqual({ out: '0 passed, 1 failed, 0 skipped', code: 1 })
  expect(store.err).toContain('s3.k8s.ts: S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY are not set. ')
  expect(store.err).not.toContain('NODE_COMMAND')
})

test('what a suite lacks is what it asks for and nobody has given', () => {
  const source = "given('NODE_COMMAND'); given('S3_BUCKET'); given('AGENT_IMAGE')"
  expect(lacking(source, {})).toEqual(['S3_BUCKET', 'NODE_COMMAND'])
  expect(lacking(source, { S3_BUCKET: 'b' })).toEqual(['NODE_COMMAND'])
  expect(lacking(source, { S3_BUCKET: 'b', NODE_COMMAND: 'env' })).toEqual([])
})
