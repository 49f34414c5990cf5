// Agents of a rollout that do not run: when they get the image, and that they get it for their next start.
import { sql } from 'drizzle-orm'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db/client.ts'
import { LIVE } from '../sessions/schema.ts'
import type { Rollouts } from './rollouts.ts'
import type { RolloutRow } from './schema.ts'

/** So many are changed at a time. */
const BATCH = 500

/** Whether the agent of row `r` runs or starts. */
const RUNS = sql`exists (select 1 from sessions s where s.agent_id = r.agent_id and s.status in ${LIVE})`

/** Whether those that do not run get the image `now`, `later`, or `never`: nobody came up with it. */
export type DormantTurn = 'now' | 'later' | 'never'

interface Deps {
  db: Db
  bus: Bus
  rollouts: Pick<Rollouts, 'announced'>
}

/** Changes agents that nothing would show an error of now. */
export class DormantAgents {
  constructor(private readonly deps: Deps) {}

  /** Leaves out agents that were deleted. */
  async skipDeleted({ id }: RolloutRow): Promise<void> {
    await this.deps.db.execute(sql`
      update rollout_agents set state = 'skipped', reason = 'The agent was deleted.', updated_at = now()
      where rollout_id = ${id} and state = 'queued' and not exists (select 1 from agents a where a.id = agent_id and a.deleted_at is null)`)
  }

  /**
   * Their turn comes when a wave of running agents came up without a failure. Where no agent runs any more one that came up
   * is enough, and none that failed; then their first start proves it, and goes back by itself when it fails.
   */
  async turn({ id }: RolloutRow): Promise<DormantTurn> {
    const [seen] = await this.deps.db.execute<{ proved: boolean; failed: boolean; clean: boolean; live: boolean }>(sql`
      select
        bool_or(r.came_up) as proved,
        bool_or(r.state = 'failed') as failed,
        bool_or(r.came_up and not exists (select 1 from rollout_agents f where f.rollout_id = r.rollout_id and f.wave = r.wave and f.state = 'failed')) as clean,
        bool_or(r.state = 'queued' and ${RUNS}) as live
      from rollout_agents r where r.rollout_id = ${id}`)
    if (!seen || seen.clean) return 'now'
    if (seen.live) return 'later'
    return seen.proved || !seen.failed ? 'now' : 'never'
  }

  /** Gives them the image for their next start. */
  async pass(rollout: RolloutRow): Promise<void> {
    for (;;) {
      const passed = await this.deps.db.execute<{ agent_id: number; user_id: number }>(sql`
        with picked as (
          select r.id, r.agent_id, r.user_id, a.image, a.started_image, a.generation from rollout_agents r
          join agents a on a.id = r.agent_id
          join rollouts o on o.id = r.rollout_id and o.status = 'running'
          where r.rollout_id = ${rollout.id} and r.state = 'queued' and a.deleted_at is null
            and not ${RUNS}
          order by r.id limit ${BATCH} for update of r, a for share of o
        ), changed as (
          update agents set image = ${rollout.image}, version = version + 1 from picked where agents.id = picked.agent_id
        )
        update rollout_agents set state = 'done', reason = 'It does not run; it has the image from its next start on.',
          former_image = picked.image, former_started = picked.started_image, former_generation = picked.generation, updated_at = now()
        from picked where rollout_agents.id = picked.id returning rollout_agents.agent_id::int, rollout_agents.user_id::int`)
      for (const { agent_id, user_id } of passed) await this.deps.bus.publish({ kind: 'agent.changed', userId: user_id, agentId: agent_id })
      if (passed.length > 0) await this.deps.rollouts.announced(rollout)
      if (passed.length < BATCH) return
    }
  }
}
