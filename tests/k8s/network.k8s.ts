// A portal whose cluster does not enforce network policies (here: has none) says so on its agents' pages; one that does stays silent.
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { InstalledPortal } from './portal.ts'
import { kubectl } from './shell.ts'

setDefaultTimeout(180_000)

let portal: InstalledPortal
beforeAll(async () => {
  portal = await InstalledPortal.install('k8s-network', '--set', 'server.replicas=1')
}, 280_000)

test('without policies an agent’s page warns that nothing keeps the networks apart; with them a fresh start has no warning', async () => {
  const [replica = ''] = await portal.replicas()
  const user = await portal.admin(replica)
  const agentId = await user.createAgent('Open')
  const { session_id: id } = await user.open(agentId)
  // As long as three tries of the sidecar take, and more: silence is the answer here.
  await Bun.sleep(15_000)
  expect((await user.session(id)).warning).toBeNull()
  await kubectl('delete', 'networkpolicy', '--all', '-n', portal.agents)
  await kubectl('delete', 'networkpolicy', '--all', '-n', portal.namespace)
  await user.ask('POST', `/api/agents/${agentId}/restart`)
  await user.becomes(id, 'creating', 5000).catch(() => {})
  await user.becomes(id, 'running')
  const { warning } = await until(
    async () => {
      const session = await user.session(id)
      return session.warning ? session : undefined
    },
    { timeoutMs: 40_000, intervalMs: 500, what: 'the warning' },
  )
  expect(warning).toContain('does not enforce its network policies')
})
