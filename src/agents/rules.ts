// What an agent may be given: names, URLs, models, variables and resources. Pure; answers with sentences by field.
import { textProblem } from '../lib/text.ts'
import { type UrlRules, urlProblem } from '../lib/url-rules.ts'
import type { Limits } from '../settings/settings.ts'
import { PRESETS } from './presets.ts'

export interface EnvInput {
  key: string
  /** Missing for a secret that stays as it is. */
  value?: string
  secret?: boolean
}

export interface ConfigInput {
  provider?: string
  /** Missing keeps the stored token, empty or null removes it. */
  anthropic_auth_token?: string | null
  anthropic_base_url?: string
  anthropic_haiku_model?: string
  anthropic_sonnet_model?: string
  anthropic_opus_model?: string
  http_proxy?: string
  https_proxy?: string
  custom_envs?: EnvInput[]
}

/** What a person may set; every field is optional when an agent is changed. */
export interface AgentInput {
  name?: string
  description?: string
  icon?: string
  instructions?: string
  config?: ConfigInput
  cpu_limit?: number | null
  memory_limit_mb?: number | null
  /** Null takes the image that the settings name. */
  image?: string | null
}

export const AGENT_ICONS = [
  'bot',
  'chart-column',
  'message-square',
  'book-open',
  'search',
  'database',
  'rocket',
  'code',
  'file-text',
  'git-branch',
  'layers',
  'flask-conical',
  'globe',
  'shield',
  'wrench',
  'zap',
] as const

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const RESERVED_ENV = /^(PATH|HOME|USER|LOGNAME|SHELL|PWD|TERM|LD_.*|DYLD_.*|NODE_OPTIONS|NODE_PATH|SAC_.*|ANTHROPIC_.*|CLAUDE_CODE_.*|BUN_.*|IS_SANDBOX|BASH_ENV|ENV|IFS)$/i
const MAX_ENVS = 100
const MAX_ENV_BYTES = 32 * 1024
const MODEL = /^[\w./:@[\]-]{0,200}$/

/** All that is wrong with an input, by field name; empty when nothing is. `image` is the one that the agent has. */
export function agentProblems(input: AgentInput, limits: Limits, urls: UrlRules, image: string | null = null): Record<string, string> {
  const problems: Record<string, string> = {}
  const note = (field: string, message: string | undefined | false) => {
    if (message) problems[field] ??= message
  }
  if (input.name !== undefined) note('name', nameProblem(input.name))
  note('description', (input.description ?? '').length > 500 && 'Use at most 500 characters.')
  note('instructions', (input.instructions ?? '').length > 50_000 && 'Use at most 50 000 characters.')
  for (const field of ['description', 'instructions'] as const) note(field, textProblem(input[field] ?? ''))
  note('icon', input.icon !== undefined && !AGENT_ICONS.some((icon) => icon === input.icon) && 'Choose one of the icons shown.')
  if (input.cpu_limit != null) note('cpu_limit', rangeProblem(input.cpu_limit, 0.1, limits.maxCpuLimit, 'cores'))
  if (input.memory_limit_mb != null) note('memory_limit_mb', memoryProblem(input.memory_limit_mb, limits.maxMemoryLimitMb))
  if (input.image !== undefined && input.image !== image) note('image', choiceProblem(input.image, image, limits.allowedImages))
  if (input.config) configProblems(input.config, urls, note)
  return problems
}

// Owners choose among the images that admins list; what an admin has set besides those is not theirs to change.
function choiceProblem(image: string | null, present: string | null, allowed: readonly string[]): string | undefined {
  if (allowed.length < 2 || (present !== null && !allowed.includes(present))) return 'Only admins choose the image of this agent.'
  return image === null || allowed.includes(image) ? undefined : `Choose one of: ${allowed.join(', ')}.`
}

function nameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'Give the agent a name.'
  if ([...name].length > 100) return 'Use at most 100 characters.'
  return /\p{Cc}/u.test(name) || !name.isWellFormed() ? 'Leave out control characters.' : undefined
}

function rangeProblem(value: number, min: number, max: number, unit: string): string | undefined {
  return Number.isFinite(value) && value >= min && value <= max ? undefined : `Between ${min} and ${max} ${unit}. Ask an admin for more.`
}

function memoryProblem(mb: number, max: number): string | undefined {
  if (Number.isInteger(mb) && mb >= 256 && mb <= max) return undefined
  return mb > max ? `At most ${Math.round((max / 1024) * 10) / 10} GiB. Ask an admin for more.` : 'At least 0.25 GiB.'
}

function configProblems(config: ConfigInput, urls: UrlRules, note: (field: string, message: string | undefined | false) => void): void {
  note('provider', config.provider !== undefined && !PRESETS.some((preset) => preset.id === config.provider) && 'Choose one of the providers shown.')
  if (config.anthropic_base_url) note('anthropic_base_url', urlProblem(config.anthropic_base_url, urls))
  for (const field of ['http_proxy', 'https_proxy'] as const) {
    if (config[field]) note(field, urlProblem(config[field], { allowPrivate: true }))
  }
  for (const field of ['anthropic_haiku_model', 'anthropic_sonnet_model', 'anthropic_opus_model'] as const) {
    note(field, config[field] !== undefined && !MODEL.test(config[field]) && 'Use the name as the provider writes it.')
  }
  const token = config.anthropic_auth_token
  note('anthropic_auth_token', !!token && (token.length > 4096 || /[\s\p{Cc}]/u.test(token)) && 'A key has no spaces and at most 4096 characters.')
  if (config.custom_envs) note('custom_envs', envsProblem(config.custom_envs))
}

function envsProblem(envs: EnvInput[]): string | undefined {
  if (envs.length > MAX_ENVS) return `Use at most ${MAX_ENVS} variables.`
  const seen = new Set<string>()
  for (const { key, value = '' } of envs) {
    if (!ENV_NAME.test(key)) return `“${key.slice(0, 60)}” is not a name for a variable: letters, digits and underscores, not beginning with a digit.`
    if (RESERVED_ENV.test(key)) return `${key} is set by the portal and cannot be changed here.`
    if (seen.has(key)) return `${key} is there twice.`
    if (value.includes('\0') || !value.isWellFormed() || Buffer.byteLength(value) > MAX_ENV_BYTES) return `The value of ${key} is too long (32 KiB at most) or holds a NUL.`
    seen.add(key)
  }
  return undefined
}
