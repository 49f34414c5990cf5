// What pages are made of: plain data, filled by the routes.

/** Names and URLs that every page needs. */
export interface PageFrame {
  organisation: string
  nonce: string
  asset: (name: string) => string
  theme: 'system' | 'light' | 'dark'
}

export interface Viewer {
  displayName: string
  username: string
  email: string
  role: 'user' | 'admin'
  theme: 'system' | 'light' | 'dark'
  screenReader: boolean
}

export type AgentState = 'starting' | 'running' | 'working' | 'needs-you' | 'idle' | 'stopped' | 'failed'

export interface AgentCard {
  id: number
  name: string
  icon: string
  state: AgentState
  /** The second line of the row. */
  line: string
  usage?: { cpuPercent: number; memoryPercent: number }
}

export interface AgentList {
  cards: AgentCard[]
  currentId?: number
  limit: number
}

export interface StartStepView {
  word: string
  state: 'done' | 'now' | 'later' | 'failed'
  detail?: string
  seconds?: string
}

/** What the middle of the workbench shows. */
export type Stage =
  | { kind: 'terminal'; sessionId: string; warning?: string; needsRestart: boolean }
  | { kind: 'starting'; startedAt: string; percent: number; steps: StartStepView[]; reason?: string }
  | { kind: 'failed'; reason: string; steps: StartStepView[] }
  | { kind: 'stopped'; reason: string }

export interface OutputRow {
  name: string
  path: string
  isFolder: boolean
  size: number
  fileCount: number
  updatedAt: Date
  arrived?: boolean
}

export interface OutputLevel {
  agentId: number
  folder: string
  rows: OutputRow[]
  next?: string
  totalFiles: number
}

export type FieldErrors = Record<string, string>

export interface AgentFormModel {
  id?: number
  version?: number
  values: {
    name: string
    description: string
    icon: string
    instructions: string
    provider: string
    anthropic_base_url: string
    anthropic_haiku_model: string
    anthropic_sonnet_model: string
    anthropic_opus_model: string
    http_proxy: string
    https_proxy: string
    cpu: string
    memory: string
  }
  envs: { key: string; value: string; secret: boolean; set: boolean }[]
  token?: { last4: string; setAt: string }
  errors: FieldErrors
  problem?: string
  icons: readonly string[]
  presets: readonly { id: string; name: string; baseUrl: string; haiku: string; sonnet: string; opus: string }[]
  limits: { cpu: number; memoryGib: number; maxCpu: number; maxMemoryGib: number }
}
