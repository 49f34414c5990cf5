// What the pages of the admin area are made of.
import type { AgentState } from '../model.ts'

/** Why CPU and memory are not shown; `here` where they are. */
export type MetricsKind = 'here' | 'missing' | 'forbidden' | 'unreachable' | 'pending'

/** An agent's owner. */
export interface OwnerView {
  id: number
  displayName: string
  username: string
}

/** One agent in the list of everyone's. */
export interface FleetRow {
  id: number
  name: string
  icon: string
  state: AgentState
  /** What it does, or why it does nothing. */
  line: string
  owner: OwnerView
  /** Name of the image that runs; undefined where there is none. */
  image?: string
  /** How often it came back by itself. */
  restarts: number
  usage?: { cpuPercent: number; memoryPercent: number }
  /** When something happened there last. */
  activeAt?: Date
}

/** Columns that the list can be sorted by. */
export type FleetSort = 'state' | 'name' | 'owner' | 'active'

/** One page of the list, and what it was asked for. */
export interface FleetPage {
  rows: FleetRow[]
  query: { q: string; state?: AgentState; sort: FleetSort; descending: boolean }
  /** Agents that the search finds, by state. */
  counts: Partial<Record<AgentState, number>>
  /** Cursors of the pages around this one. */
  before?: string
  after?: string
  metrics: MetricsKind
}

/** One start of a sandbox. */
export interface StartView {
  startedAt: Date
  outcome: 'starting' | 'ready' | 'failed' | 'ended' | 'given-up'
  generation?: number
  /** How long it took, or took until it failed. */
  seconds?: number
  /** What had ended the sandbox before. */
  cause?: string
  /** What its owner was told. */
  reason?: string
  /** What the system itself said. */
  evidence?: string
}

/** Something that the system reports. */
export interface EventView {
  at: Date
  kind: string
  reason: string
  message: string
  isWarning: boolean
  count: number
}

/** One agent for an admin. */
export interface AgentDetailView extends FleetRow {
  createdAt: Date
  generation: number
  node?: string
  memoryBytes?: number
  readyAt?: Date
  /** What its owner is told now. */
  reason?: string
  warning?: string
  notice?: string
  starts: StartView[]
  events: EventView[]
  metrics: MetricsKind
  /** What the system says where there are no metrics. */
  metricsEvidence?: string
}
