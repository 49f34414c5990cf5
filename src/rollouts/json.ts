// What the API shows of rollouts. Pure.
import type { RolloutView } from './rollouts.ts'
import type { RolloutAgentRow } from './schema.ts'

/** A rollout with its counts. */
export function rolloutJson({ rollout, counts }: RolloutView) {
  return {
    id: rollout.id,
    image: rollout.image,
    status: rollout.status,
    reason: rollout.reason,
    wave: rollout.wave,
    wave_size: rollout.waveSize,
    max_failures: rollout.maxFailures,
    quiet_seconds: rollout.quietSeconds,
    busy_until: rollout.busyUntil.toISOString(),
    total: Object.values(counts).reduce((sum, part) => sum + part, 0),
    ...counts,
    created_by: rollout.createdBy,
    created_at: rollout.createdAt.toISOString(),
    finished_at: rollout.finishedAt?.toISOString() ?? null,
  }
}

/** One agent of a rollout. */
export function rolloutAgentJson(row: RolloutAgentRow) {
  return { agent_id: row.agentId, user_id: row.userId, name: row.name, state: row.state, wave: row.wave, reason: row.reason, former_image: row.formerStarted ?? row.formerImage }
}
