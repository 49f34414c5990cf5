// Images of agents on a real cluster: changed in waves, and back again where the new one is nowhere.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { TerminalClient } from '../support/terminal-client.ts'
import { SECRET_KEYS, TestNamespace } from './cluster.ts'
import { given } from './given.ts'
import { shell } from './portal.ts'

setDefaultTimeout(240_000)

interface RolloutJson {
  id: number
  status: string
  updating: number
  agents: { agent_id: number; state: string; wave: number | null; reason: string | null }[]
}

let namespace: TestNamespace
let app: TestApp
let admin: Person
let userId: number
const ids: number[] = []
const sessions: string[] = []
const A = () => given('AGENT_IMAGE')
let B: string
beforeAll(async () => {
  namespace = await TestNamespace.make('k8s-rollout')
  const cluster = { RUNTIME: 'kubernetes', KUBECONFIG_PATH: given('KUBECONFIG'), K8S_NAMESPACE: namespace.name, DOCKER_IMAGE: A(), SIDECAR_IMAGE: given('SIDECAR_IMAGE') }
  // A registry that does not answer is waited for until the time for a start is over.
  const startLimits = { readyMs: 90_000, answerMs: 60_000 }
  app = await startTestApp({
    startLimits,
    env: {
      ...cluster,
      JWT_SECRET: 'the tokens of a suite on a cluster',
      SECRET_KEYS: SECRET_KEYS.join(','),
      INTERNAL_URL: 'http://127.0.0.1:9',
      AGENT_STORAGE_SIZE: '1Gi',
      AGENT_EGRESS: 'internet',
    },
  })
  admin = await app.admin()
  userId = (await admin.ask<{ user: { id: number } }>('GET', '/api/auth/me')).body.user.id
  for (const name of ['First', 'Second']) {
    const id = await admin.createAgent(name)
    ids.push(id)
    sessions.push(await admin.startAgent(id))
  }
  B = await otherNameOf(A())
}, 200_000)
afterAll(() => app?.[Symbol.asyncDispose]())

interface Pod {
  spec: { containers: { name: string; image: string; resources: { requests: Record<string, string> } }[] }
  status: { containerStatuses?: { name: string; imageID: string }[] }
}
const podOf = async (agentId: number) => (await namespace.pod({ userId, agentId })) as unknown as Pod | undefined
const agentOf = (pod: Pod | undefined) => pod?.spec.containers.find(({ name }) => name === 'claude-code')
const imageOf = async (agentId: number) => agentOf(await podOf(agentId))?.image

/** Another name for the very image, which the node has, too. */
async function otherNameOf(image: string): Promise<string> {
  if (image.startsWith('docker.io/')) return image.slice('docker.io/'.length)
  if (!/^[^/]*[.:][^/]*\//.test(image)) return `docker.io/${image.includes('/') ? '' : 'library/'}${image}`
  const digest = /sha256:[0-9a-f]{64}$/.exec((await podOf(ids[0] ?? 0))?.status.containerStatuses?.find(({ name }) => name === 'claude-code')?.imageID ?? '')?.[0]
  return `${image.replace(/@.*$/, '').replace(/:[^/]*$/, '')}@${digest}`
}

const begin = async (image: string, more: object = {}) =>
  (await admin.ask<RolloutJson>('POST', '/api/admin/rollouts', { image, agent_ids: ids, wave_size: 1, quiet_seconds: 0, wait_seconds: 0, ...more })).body.id
const over = (id: number) =>
  until(
    async () => {
      const { body } = await admin.ask<RolloutJson>('GET', `/api/admin/rollouts/${id}`)
      return body.status !== 'running' && body.updating === 0 ? body : undefined
    },
    { timeoutMs: 200_000, intervalMs: 100, what: 'the end of the rollout' },
  )
const attach = (at: number) => new TerminalClient(`${app.portal.url}/ws/${sessions[at]}`, { authorization: `Bearer ${admin.token}` })

test('two agents get another image, one after the other', async () => {
  expect([await imageOf(ids[0] ?? 0), await imageOf(ids[1] ?? 0)]).toEqual([A(), A()])
  const id = await begin(B)
  await until(async () => (await imageOf(ids[0] ?? 0)) === B, { timeoutMs: 60_000, what: 'the first pod with the new image' })
  expect(await imageOf(ids[1] ?? 0)).toBe(A())
  const rollout = await over(id)
  expect(rollout.agents.map(({ state, wave }) => [state, wave])).toEqual([
    ['done', 1],
    ['done', 2],
  ])
  for (const agentId of ids) expect(await imageOf(agentId)).toBe(B)
})

test('an image that is nowhere: both agents run their old one again, the open terminal has only waited, and the reason is told', async () => {
  const terminal = attach(0)
  await terminal.shows('❯', 60_000)
  const before = terminal.status?.stream
  const id = await begin(
    `${A()
      .replace(/@.*$/, '')
      .replace(/:[^/:]*$/, '')}:there-is-no-such-tag`,
    { wave_size: 2, max_failures: 2 },
  )
  const rollout = await over(id)
  for (const agent of rollout.agents) expect(agent).toMatchObject({ state: 'failed', reason: expect.stringMatching(/did not come up.*image.*runs its old image again/) as never })
  for (const agentId of ids) expect(await imageOf(agentId)).toBe(B)
  await until(() => terminal.status?.stream !== before, { timeoutMs: 20_000, what: 'the new terminal on the old socket' })
  terminal.text = ''
  terminal.frame('1', JSON.stringify({ columns: 110, rows: 31 }))
  await shell(terminal, 'echo back-$((20+3))', 'back-23')
  expect(terminal.closed).toBeUndefined()
  terminal.socket.close()
  const other = attach(1)
  await shell(other, 'echo also-$((20+3))', 'also-23')
  other.socket.close()
})

test('a class that the cluster does not have is refused at the form with those that it has; a larger volume and other requests hold from the next start', async () => {
  const put = (key: string, value: unknown) => admin.ask<{ error?: { fields: Record<string, string> } }>('PUT', `/api/admin/settings/${key}`, { value })
  const refused = await put('agent_storage_class', 'there-is-no-such-class')
  expect(refused.status).toBe(422)
  expect(refused.body.error?.fields.agent_storage_class).toMatch(/The cluster has no storage class of this name\. There (is|are): /)
  expect((await put('agent_runtime_class', 'there-is-none')).status).toBe(422)
  expect((await put('default_cpu_request', '30m')).status).toBe(200)
  expect((await put('agent_storage_size', '2Gi')).status).toBe(200)
  const [agentId = 0] = ids
  await admin.ask('POST', `/api/agents/${agentId}/restart`)
  await until(async () => agentOf(await podOf(agentId))?.resources.requests.cpu === '30m', { timeoutMs: 60_000, what: 'the new request' })
  await until(async () => (await admin.ask<{ status: string }>('GET', `/api/sessions/${sessions[0]}`)).body.status === 'running', { timeoutMs: 90_000, what: 'a running agent' })
  // Its volume is the one that it had: what the conversation left is there.
  const terminal = attach(0)
  await shell(terminal, 'echo same-$((20+3))', 'same-23')
  terminal.socket.close()
  expect(await namespace.names(`/api/v1/namespaces/${namespace.name}/persistentvolumeclaims`)).toHaveLength(2)
})
