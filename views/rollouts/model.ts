// What the pages of rollouts are made of.

export type RolloutStatusView = 'running' | 'done' | 'stopped' | 'canceled'
export type RolloutStateView = 'queued' | 'updating' | 'done' | 'failed' | 'skipped'

/** A rollout in the list and at the head of its page. */
export interface RolloutSummary {
  id: number
  /** Undefined: the image that the settings name. */
  image?: string
  status: RolloutStatusView
  reason?: string
  wave: number
  waveSize: number
  counts: Record<RolloutStateView, number>
  total: number
  createdAt: Date
  finishedAt?: Date
}

/** One agent of a rollout. */
export interface RolloutAgentView {
  id: number
  name: string
  /** Name of its owner. */
  owner: string
  state: RolloutStateView
  /** Its new image did not come up, and it gets its old one. */
  goingBack: boolean
  wave?: number
  reason?: string
}

/** The page of one rollout. */
export interface RolloutPageModel {
  rollout: RolloutSummary
  agents: RolloutAgentView[]
}

/** The form that begins one. Numbers are what was typed. */
export interface RolloutFormModel {
  values: { image: string; agents: string; name: string; wave_size: string; max_failures: string; wait_minutes: string }
  /** Agents that were chosen in the list. */
  chosen: { id: number; name: string }[]
  /** Images in use, with how many agents have each. */
  images: { image: string; agents: number }[]
  /** Of agents without an image of their own. */
  inherited: string
  total: number
  errors: Record<string, string>
  problem?: string
  /** Agents here have no images. */
  hasImages: boolean
}
