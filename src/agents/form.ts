// Between the agent form and the service: fields to input, rows to fields.
import type { AgentFormModel, FieldErrors } from '../../views/model.ts'
import { randomToken, sha256Hex } from '../lib/crypto.ts'
import { invalidFields } from '../lib/errors.ts'
import type { Limits } from '../settings/settings.ts'
import type { Agent } from './agents.ts'
import { emptyConfig } from './merging.ts'
import { PRESETS } from './presets.ts'
import { AGENT_ICONS, type AgentInput } from './rules.ts'

export type FormFields = Record<string, string | string[] | undefined>

/** The form of an agent, or of a new one. */
export function formOf(agent: Agent | undefined, limits: Limits): AgentFormModel {
  const config = agent?.config ?? emptyConfig()
  const { custom_envs: envs, ...plain } = config
  return {
    id: agent?.id,
    version: agent?.version,
    requestKey: agent ? undefined : randomToken(12),
    values: {
      name: agent?.name ?? '',
      description: agent?.description ?? '',
      icon: agent?.icon ?? 'bot',
      instructions: agent?.instructions ?? '',
      ...plain,
      cpu: agent?.cpuLimit == null ? '' : String(agent.cpuLimit),
      memory: agent?.memoryLimitMb == null ? '' : String(agent.memoryLimitMb / 1024),
      image: agent?.image ?? '',
    },
    image: imageOf(agent, limits),
    envs: envs.map((env) => ({ key: env.key, value: env.value ?? '', secret: env.secret, set: agent?.secrets[`env:${env.key}`] !== undefined })),
    token: agent?.secrets.anthropic_auth_token,
    errors: {},
    icons: AGENT_ICONS,
    presets: PRESETS,
    limits: { cpu: limits.cpuLimit, memoryGib: limits.memoryLimitMb / 1024, maxCpu: limits.maxCpuLimit, maxMemoryGib: limits.maxMemoryLimitMb / 1024 },
  }
}

// The choice is the owner's among the images that admins list, unless an admin has chosen another one for this agent.
function imageOf(agent: Agent | undefined, { image: standard, allowedImages }: Limits): AgentFormModel['image'] {
  if (standard === '' && !agent?.image) return undefined
  const isOwners = allowedImages.length > 1 && (!agent?.image || allowedImages.includes(agent.image))
  return { standard, choices: isOwners ? allowedImages : [] }
}

/** The same form with what was typed and what is wrong with it. Keys that were typed are not sent back. */
export function formAgain(form: AgentFormModel, fields: FormFields, errors: FieldErrors, problem: string): AgentFormModel {
  const values = { ...form.values }
  for (const key of Object.keys(values) as (keyof typeof values)[]) {
    const typed = fields[key === 'cpu' ? 'cpu_limit' : key === 'memory' ? 'memory_limit' : key]
    if (typeof typed === 'string') values[key] = typed
  }
  const known = new Set(form.envs.filter((env) => env.set).map((env) => env.key))
  const envs = envRows(fields).map((env) => ({ ...env, value: env.secret ? '' : env.value, set: known.has(env.key) }))
  const { memory_limit_mb: memory, ...rest } = errors
  return { ...form, values, envs, errors: memory ? { ...rest, memory_limit: memory } : rest, problem }
}

/** What the form asks for. Throws `invalid` for numbers that are none. */
export function inputOf(fields: FormFields): AgentInput & { name: string } {
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '')
  const token = text('anthropic_auth_token').trim()
  return {
    name: text('name'),
    description: text('description'),
    icon: text('icon') || 'bot',
    instructions: text('instructions').replace(/\r\n/g, '\n'),
    cpu_limit: decimal('cpu_limit', text('cpu_limit')),
    memory_limit_mb: gibibytes(text('memory_limit')),
    image: fields.image === undefined ? undefined : text('image') || null,
    config: {
      provider: text('provider') || 'other',
      anthropic_auth_token: text('remove_token') === '1' ? null : token || undefined,
      anthropic_base_url: text('anthropic_base_url').trim(),
      anthropic_haiku_model: text('anthropic_haiku_model').trim(),
      anthropic_sonnet_model: text('anthropic_sonnet_model').trim(),
      anthropic_opus_model: text('anthropic_opus_model').trim(),
      http_proxy: text('http_proxy').trim(),
      https_proxy: text('https_proxy').trim(),
      custom_envs: envRows(fields).map(({ key, value, secret }) => ({ key, secret, value: secret && value === '' ? undefined : value })),
    },
  }
}

/** Names the sending of a form: a double click sends the same, a changed form under the same key is another request. */
export function requestKeyOf({ request_key: key, ...fields }: FormFields): string | null {
  return typeof key === 'string' && /^[\w-]{8,64}$/.test(key) ? `${key}.${sha256Hex(JSON.stringify(fields))}` : null
}

function envRows(fields: FormFields): { key: string; value: string; secret: boolean }[] {
  const list = (name: string) => [fields[name] ?? []].flat()
  const [keys, values, kinds] = [list('env_key'), list('env_value'), list('env_kind')]
  return keys.map((key, at) => ({ key: key.trim(), value: values[at] ?? '', secret: kinds[at] === 'secret' })).filter(({ key, value }) => key !== '' || value !== '')
}

function decimal(field: string, text: string): number | null {
  if (text.trim() === '') return null
  const value = Number(text.replace(',', '.'))
  if (!Number.isFinite(value)) throw invalidFields({ [field]: 'Give a number.' })
  return value
}

function gibibytes(text: string): number | null {
  const value = decimal('memory_limit', text)
  return value === null ? null : Math.round(value * 1024)
}
