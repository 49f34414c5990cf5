// For admins: whether agents have found their networks closed.
import { Elysia } from 'elysia'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import type { Logins } from '../users/logins.ts'
import type { Networks } from './networks.ts'

/** The reports of the sandboxes that run. */
export function networkRoutes({ networks, logins, edge }: { networks: Networks; logins: Logins; edge: EdgeRules }) {
  return new Elysia({ name: 'networks' }).use(adminOnly({ logins, edge })).get('/api/admin/networks', async () => ({
    reports: (await networks.list()).map(({ agentId, generation, network, reportedAt }) => ({ agent_id: agentId, generation, network, reported_at: reportedAt.toISOString() })),
  }))
}
