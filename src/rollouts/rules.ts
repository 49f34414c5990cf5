// What a rollout may be asked for; answers with sentences by field. Pure.
import { imageProblem } from '../lib/image-names.ts'

/** Which agents are meant: these, or all that the filter leaves. */
export type Selection = { agentIds: number[] } | { filter: AgentFilter }

/** Agents that all of these are true of; an empty filter means every agent. */
export interface AgentFilter {
  userId?: number
  /** Part of the agent's name. */
  name?: string
  /** Image that they run or were last started with. */
  image?: string
}

export interface RolloutInput {
  /** Null takes agents' own images away, so that the settings decide. */
  image: string | null
  agents: Selection
  waveSize?: number
  maxFailures?: number
  /** An agent at which something happened within this time is busy. */
  quietSeconds?: number
  /** So long busy agents are left alone; after it they restart like the others. */
  waitSeconds?: number
}

/** What an admin gets who asks for nothing else. */
export const ROLLOUT_DEFAULTS = { waveSize: 5, maxFailures: 3, quietSeconds: 60, waitSeconds: 1800 }

export const ROLLOUT_RANGES = {
  waveSize: { min: 1, max: 500 },
  maxFailures: { min: 1, max: 10_000 },
  quietSeconds: { min: 0, max: 86_400 },
  waitSeconds: { min: 0, max: 7 * 86_400 },
} as const

const MAX_IDS = 10_000

const NAMES = { waveSize: 'wave_size', maxFailures: 'max_failures', quietSeconds: 'quiet_seconds', waitSeconds: 'wait_seconds' } as const

/** All that is wrong with a wish, by field name; empty when nothing is. */
export function rolloutProblems(input: RolloutInput): Record<string, string> {
  const problems: Record<string, string> = {}
  const image = input.image === null ? undefined : imageProblem(input.image)
  if (image) problems.image = image
  for (const key of Object.keys(NAMES) as (keyof typeof NAMES)[]) {
    const value = input[key] ?? ROLLOUT_DEFAULTS[key]
    const { min, max } = ROLLOUT_RANGES[key]
    if (!Number.isInteger(value) || value < min || value > max) problems[NAMES[key]] = `Give a whole number from ${min} to ${max}.`
  }
  if ('agentIds' in input.agents) {
    const { agentIds } = input.agents
    if (agentIds.length === 0) problems.agent_ids = 'Choose which agents.'
    else if (agentIds.length > MAX_IDS) problems.agent_ids = `Choose at most ${MAX_IDS} agents, or use a filter.`
  }
  return problems
}
