// Every setting: its meaning, its built-in value, its rule, and whether a user may have a value of their own.
import { textProblem } from '../lib/text.ts'
import { amount, decimal, image, images, objectName, oneOf, type ValueRule, wholeNumber } from './values.ts'

/** How a value is written in a form. */
export type FieldKind = 'count' | 'decimal' | 'gib' | 'minutes' | 'text' | 'list'

/** Parts of the form. */
export type SettingGroup = 'agents' | 'cluster'

/** How a setting looks in the form of the settings. */
export interface SettingForm {
  group: SettingGroup
  label: string
  /** What it does, and who may have another value. */
  about: string
  kind: FieldKind
  unit?: string
  placeholder?: string
}

export interface SettingRule {
  builtIn: unknown
  perUser: boolean
  /** Means something only where agents run in a cluster. */
  clusterOnly?: boolean
  /** Missing while it has no place in the form. */
  form?: SettingForm
  /** Why a value is refused, or undefined. */
  problem: ValueRule
}

const USER = 'Can be set per user.'
const USER_AND_AGENT = 'Per agent. Can be set per user and per agent.'

/** Signs of life are noted up to half a minute late: with less than this somebody who types would count as idle. */
const SHORTEST_IDLE_S = 60

/** The settings that exist. Sizes are MiB or amounts like 10Gi, times seconds, CPU cores. */
export const SETTINGS = {
  registration_mode: { builtIn: 'invite', perUser: false, problem: oneOf('open', 'invite', 'closed') },
  max_agents_per_user: {
    builtIn: 3,
    perUser: true,
    form: { group: 'agents', label: 'Agents per person', about: `How many agents one person may have. ${USER}`, kind: 'count', unit: 'agents' },
    problem: wholeNumber(0, 1000),
  },
  default_cpu_limit: {
    builtIn: 2,
    perUser: true,
    form: { group: 'agents', label: 'CPU limit', about: USER_AND_AGENT, kind: 'decimal', unit: 'cores' },
    problem: decimal(0.1, 256),
  },
  default_memory_limit_mb: {
    builtIn: 4096,
    perUser: true,
    form: { group: 'agents', label: 'Memory limit', about: USER_AND_AGENT, kind: 'gib', unit: 'GiB' },
    problem: wholeNumber(256, 1024 * 1024),
  },
  max_cpu_limit: {
    builtIn: 8,
    perUser: true,
    form: { group: 'agents', label: 'Most CPU', about: `What people may give one of their agents. ${USER}`, kind: 'decimal', unit: 'cores' },
    problem: decimal(0.1, 256),
  },
  max_memory_limit_mb: {
    builtIn: 16_384,
    perUser: true,
    form: { group: 'agents', label: 'Most memory', about: `What people may give one of their agents. ${USER}`, kind: 'gib', unit: 'GiB' },
    problem: wholeNumber(256, 1024 * 1024),
  },
  pids_limit: {
    builtIn: 512,
    perUser: true,
    form: {
      group: 'agents',
      label: 'Processes',
      about: `How many an agent may run at once. In a cluster the nodes set this (podPidsLimit); it holds there only for pods with a user namespace of their own. ${USER}`,
      kind: 'count',
      unit: 'processes',
    },
    problem: wholeNumber(32, 32_768),
  },
  /** How long nothing may happen at an agent before its list shows it as idle. */
  idle_after_seconds: {
    builtIn: 1800,
    perUser: false,
    form: {
      group: 'agents',
      label: 'Idle after',
      about: 'In a cluster an idle agent gives its room back; files and conversations are kept, and the next visit starts it again.',
      kind: 'minutes',
      unit: 'minutes',
    },
    problem: wholeNumber(SHORTEST_IDLE_S, 30 * 24 * 3600),
  },
  docker_image: {
    builtIn: '',
    perUser: true,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Image',
      about: `For agents that start from now on. Running agents keep theirs until they restart; a rollout restarts them in waves. Can be set per user and per agent.`,
      kind: 'text',
      placeholder: 'registry.example.com/sac/agent:1.0.0',
    },
    problem: image,
  },
  allowed_images: {
    builtIn: [],
    perUser: false,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Images to choose from',
      about: 'One per line. With two or more, people choose among them for their own agents; else only admins set an agent’s image.',
      kind: 'list',
    },
    problem: images,
  },
  agent_storage_size: {
    builtIn: '10Gi',
    perUser: true,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Volume',
      about: `Size of a new agent’s volume. Agents that have one keep it; it grows at their next start where its class allows that, and never shrinks. ${USER}`,
      kind: 'text',
      placeholder: '10Gi',
    },
    problem: amount({ min: '64Mi', max: '64Ti', example: '10Gi' }),
  },
  agent_storage_class: {
    builtIn: '',
    perUser: false,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Storage class',
      about: 'Of new volumes; agents that have one keep it. Empty: the cluster’s default class.',
      kind: 'text',
      placeholder: 'default',
    },
    problem: objectName,
  },
  agent_runtime_class: {
    builtIn: '',
    perUser: true,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Runtime class',
      about: `A sandboxed container runtime like gVisor or Kata, from the next start on. Empty: the cluster’s usual one. ${USER}`,
      kind: 'text',
      placeholder: 'usual',
    },
    problem: objectName,
  },
  default_cpu_request: {
    builtIn: '250m',
    perUser: true,
    clusterOnly: true,
    form: { group: 'cluster', label: 'Reserved CPU', about: `What a node keeps free for each agent, at most its limit. ${USER}`, kind: 'text', placeholder: '250m' },
    problem: amount({ min: '1m', max: '256', example: '250m or 0.5' }),
  },
  default_memory_request: {
    builtIn: '512Mi',
    perUser: true,
    clusterOnly: true,
    form: { group: 'cluster', label: 'Reserved memory', about: `What a node keeps free for each agent, at most its limit. ${USER}`, kind: 'text', placeholder: '512Mi' },
    problem: amount({ min: '16Mi', max: '1Ti', example: '512Mi' }),
  },
  ephemeral_storage_limit: {
    builtIn: '10Gi',
    perUser: true,
    clusterOnly: true,
    form: {
      group: 'cluster',
      label: 'Temporary files',
      about: `What an agent may write outside of its volume before its node ends it. ${USER}`,
      kind: 'text',
      placeholder: '10Gi',
    },
    problem: amount({ min: '64Mi', max: '16Ti', example: '10Gi' }),
  },
  output_max_bytes: { builtIn: 10 * 1024 ** 3, perUser: true, problem: wholeNumber(0, 2 ** 50) },
  output_max_files: { builtIn: 100_000, perUser: true, problem: wholeNumber(0, 10_000_000) },
  output_max_file_bytes: { builtIn: 10 * 1024 ** 3, perUser: true, problem: wholeNumber(0, 2 ** 50) },
  agent_system_instructions: {
    builtIn:
      'Save what the user should get (documents, pages, charts, tables, images) under /workspace/output/. It appears in the portal at once. Keep source code and working files elsewhere in /workspace.',
    perUser: false,
    problem: (value) => (typeof value !== 'string' || value.length > 20_000 ? 'Use at most 20 000 characters.' : textProblem(value)),
  },
} satisfies Record<string, SettingRule>

export type SettingKey = keyof typeof SETTINGS

/** Values that the environment gives in place of the built-in ones. */
export type EnvironmentValues = Partial<Record<SettingKey, unknown>>

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}

/** The rule of a setting. */
export function ruleOf(key: SettingKey): SettingRule {
  return SETTINGS[key]
}
