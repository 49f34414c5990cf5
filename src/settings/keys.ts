// Every setting: its built-in value, its rule, and whether a user may have a value of their own.
import { textProblem } from '../lib/text.ts'

export interface SettingRule {
  builtIn: unknown
  perUser: boolean
  /** Why a value is refused, or undefined. */
  problem(value: unknown): string | undefined
}

const wholeNumber =
  (min: number, max: number) =>
  (value: unknown): string | undefined =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? undefined : `Give a whole number from ${min} to ${max}.`

const decimal =
  (min: number, max: number) =>
  (value: unknown): string | undefined =>
    typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max ? undefined : `Give a number from ${min} to ${max}.`

/** The settings that exist. Sizes are MiB, times seconds, CPU cores. */
export const SETTINGS = {
  registration_mode: {
    builtIn: 'invite',
    perUser: false,
    problem: (value) => (typeof value === 'string' && ['open', 'invite', 'closed'].includes(value) ? undefined : 'Use open, invite or closed.'),
  },
  max_agents_per_user: { builtIn: 3, perUser: true, problem: wholeNumber(0, 1000) },
  default_cpu_limit: { builtIn: 2, perUser: true, problem: decimal(0.1, 256) },
  default_memory_limit_mb: { builtIn: 4096, perUser: true, problem: wholeNumber(256, 1024 * 1024) },
  max_cpu_limit: { builtIn: 8, perUser: true, problem: decimal(0.1, 256) },
  max_memory_limit_mb: { builtIn: 16_384, perUser: true, problem: wholeNumber(256, 1024 * 1024) },
  /** How long nothing may happen at an agent before its list shows it as idle. */
  idle_after_seconds: { builtIn: 1800, perUser: false, problem: wholeNumber(1, 30 * 24 * 3600) },
  pids_limit: { builtIn: 512, perUser: true, problem: wholeNumber(32, 32_768) },
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

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}
