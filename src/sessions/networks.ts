// What sandboxes report about their networks: kept for each start, shown to the agent's owner and to admins.
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Agent } from '../agents/agents.ts'
import { agents } from '../agents/schema.ts'
import type { Db } from '../db/client.ts'
import type { Exposure } from '../internal/contract.ts'
import { networkReports } from './schema.ts'
import type { Sessions } from './sessions.ts'

/** For the page of an agent whose network is open. */
export const EXPOSED =
  'Nothing keeps the agents’ networks apart. This cluster does not enforce its network policies: agents can reach each other and what is inside the network. Ask an admin for a network plug-in that does.'

/** For every page of an admin while any agent's network is. */
export const EXPOSED_PORTAL =
  'Nothing keeps the agents’ networks apart. A running agent has reached an address that its network policy closes. Use a network plug-in that enforces policies, and see that those of the chart are there.'

/** Sandboxes report every ten minutes; what was not repeated for so long is over. */
const RECENT_MS = 30 * 60_000

/** One agent's last word about it. */
export interface NetworkReport {
  agentId: number
  generation: number
  network: Exposure
  reportedAt: Date
}

/** The reports. */
export class Networks {
  private open = false

  constructor(private readonly deps: { db: Db; sessions: Sessions }) {}

  /** Whether any recent report says that a network is open, as of the last `refresh`. */
  get isOpen(): boolean {
    return this.open
  }

  /** Keeps what the agent's present sandbox has found out; what an older one says late does not count. */
  async note({ id: agentId, generation }: Agent, network: Exposure): Promise<void> {
    const { db, sessions } = this.deps
    const [kept] = await db
      .insert(networkReports)
      .values({ agentId, generation, network })
      .onConflictDoUpdate({
        target: networkReports.agentId,
        set: { generation, network, reportedAt: new Date() },
        setWhere: sql`${networkReports.generation} <= ${generation}`,
      })
      .returning()
    if (!kept) return
    if (network === 'open') {
      this.open = true
      await sessions.warn(agentId, EXPOSED)
    } else await sessions.unwarn(agentId, EXPOSED)
  }

  /** Looks at the reports of all agents. */
  async refresh(): Promise<void> {
    const [found] = await this.deps.db
      .select({ agentId: networkReports.agentId })
      .from(networkReports)
      .where(and(eq(networkReports.network, 'open'), RECENT))
      .limit(1)
    this.open = found !== undefined
  }

  /** What the present sandboxes of all agents have reported lately. */
  async list(): Promise<NetworkReport[]> {
    const rows = await this.deps.db
      .select({ report: networkReports })
      .from(networkReports)
      .innerJoin(agents, and(eq(agents.id, networkReports.agentId), eq(agents.generation, networkReports.generation)))
      .where(and(isNull(agents.deletedAt), RECENT))
      .orderBy(networkReports.agentId)
    return rows.map(({ report }) => report)
  }
}

const RECENT = gt(networkReports.reportedAt, sql`now() - make_interval(secs => ${RECENT_MS / 1000})`)
