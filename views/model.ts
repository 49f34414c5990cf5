// What pages are made of: plain data, filled by the routes.

/** Names and URLs that every page needs. */
export interface PageFrame {
  organisation: string
  /** Lets the scripts of this answer run; see the content policy. */
  nonce: string
  /** URL of a built asset by its logical name, for example "app.js". */
  asset: (name: string) => string
  theme: Theme
  /** What the viewer should know on every page, title first. */
  notice?: string
}

export type Theme = 'system' | 'light' | 'dark'

/** The person who looks at the page. */
export interface Viewer {
  displayName: string
  username: string
  email: string
  role: 'user' | 'admin'
  theme: Theme
  /** Whether the terminal keeps a text for screen readers. */
  screenReader: boolean
}

export type AgentState = 'starting' | 'running' | 'working' | 'needs-you' | 'idle' | 'stopped' | 'failed'

/** One row of the agents. */
export interface AgentCard {
  id: number
  name: string
  /** Name of an icon in the sprite. */
  icon: string
  state: AgentState
  /** The second line of the row. */
  line: string
  /** Shares of the limits, 0–100. */
  usage?: { cpuPercent: number; memoryPercent: number }
}

/** The agents of the viewer, in their order. */
export interface AgentList {
  cards: AgentCard[]
  /** The agent that the page shows. */
  currentId?: number
  /** How many the viewer may have. */
  limit: number
  /** A line below the agents, for example why no use is shown. */
  note?: string
  /** Image of agents without one of their own; empty where there are none. */
  image?: string
}

/** One step of a start. */
export interface StartStepView {
  word: string
  state: 'done' | 'now' | 'later' | 'failed'
  detail?: string
  /** How long it took or takes, in words: "4.6 s". */
  seconds?: string
  /** When it began, while it goes on. ISO 8601. */
  since?: string
}

/** What the middle of the workbench shows. Times are ISO 8601. */
export type Stage =
  | {
      kind: 'terminal'
      sessionId: string
      /** Stays visible while it runs, for example that isolation is off. */
      warning?: string
      /** What an admin did with it. */
      notice?: string
      /** Saved changes wait for a restart. */
      needsRestart: boolean
      /** Image that it gets with its next start, when that is another one. */
      newImage?: string
      /** Colours that the CLI was started with; dark unless told. */
      theme?: 'light' | 'dark'
      /** When the terminal became ready, for "Up 3 h 20 min". */
      readyAt?: string
      /** Short name of the model, shown above the terminal. */
      model?: string
    }
  | { kind: 'starting'; startedAt: string; percent: number; steps: StartStepView[]; reason?: string; notice?: string }
  | { kind: 'failed'; reason: string; steps: StartStepView[]; seconds?: string }
  | { kind: 'stopped'; reason: string }
  | { kind: 'asleep' }

/** A folder or a file of the output. */
export interface OutputRow {
  name: string
  path: string
  isFolder: boolean
  /** Bytes; of a folder: of all files below it. */
  size: number
  /** Files below a folder. */
  fileCount: number
  /** Last change; of a folder: the newest one below it. */
  updatedAt: Date
  /** New on an open page. */
  arrived?: boolean
}

/** One level of the output tree, or one page of it. */
export interface OutputLevel {
  agentId: number
  /** Path of the folder; empty for the top. */
  folder: string
  rows: OutputRow[]
  /** Cursor of the next page; undefined on the last. */
  next?: string
  /** Files below this folder. */
  totalFiles: number
}

/** What a preview shows. */
export type Preview = { kind: 'text'; text: string; cut: boolean } | { kind: 'image'; url: string } | { kind: 'other' }

/** Sentences by field name. */
export type FieldErrors = Record<string, string>

/** A model provider that fills the form. */
export interface PresetView {
  id: string
  name: string
  baseUrl: string
  haiku: string
  sonnet: string
  opus: string
  /** Page where a key comes from. */
  keyUrl?: string
}

/** One environment variable; a stored secret has no value but `set`. */
export interface EnvView {
  key: string
  value: string
  secret: boolean
  set: boolean
}

/** The form of an agent. Numbers are what was typed. */
export interface AgentFormModel {
  /** Missing for a new agent. */
  id?: number
  /** Version that was read; a save on top of another one is refused. */
  version?: number
  /** Of a new agent: however often this very form is sent, one agent is made. */
  requestKey?: string
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
    image: string
  }
  /** Where agents have images: the one of the settings, and those that the owner may choose among. */
  image?: { standard: string; choices: readonly string[] }
  envs: EnvView[]
  /** The stored key, as far as it may be shown. */
  token?: { last4: string; setAt: string }
  errors: FieldErrors
  /** Why the form as a whole was refused. */
  problem?: string
  icons: readonly string[]
  presets: readonly PresetView[]
  limits: { cpu: number; memoryGib: number; maxCpu: number; maxMemoryGib: number }
  /** The agent runs, and saved changes wait for a restart. */
  needsRestart?: boolean
}

/** One sign-in of the viewer. */
export interface LoginView {
  id: string
  /** The one that asks. */
  current: boolean
  userAgent: string
  address: string
  lastSeenAt: Date
}

export type RegistrationMode = 'open' | 'invite' | 'closed'

/** The registration page in any of its modes. */
export interface RegisterModel {
  mode: RegistrationMode
  invitation?: { code: string; email?: string }
  values: { username: string; email: string; display_name: string }
  errors: FieldErrors
  problem?: string
  minPasswordLength: number
}
