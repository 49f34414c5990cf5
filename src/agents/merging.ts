// What an agent is after a change: what was given in place of what was there, secrets sealed. Pure.
import type { SecretBox } from '../lib/crypto.ts'
import { secretContext } from './environment.ts'
import { PRESETS } from './presets.ts'
import type { AgentInput, ConfigInput } from './rules.ts'
import type { AgentConfig, AgentRow, SealedSecret } from './schema.ts'

/** What a change may change, with the number that its secrets are bound to. */
export type Mergeable = Pick<AgentRow, 'id' | 'name' | 'description' | 'icon' | 'instructions' | 'cpuLimit' | 'memoryLimitMb' | 'image' | 'config' | 'secrets'>

/** An agent of which nothing but its name is known yet. */
export function blankAgent(id: number, name: string): Mergeable {
  return { id, config: emptyConfig(), secrets: {}, name, description: '', icon: 'bot', instructions: '', cpuLimit: null, memoryLimitMb: null, image: null }
}

/** The configuration that the form begins with: the first provider's. */
export function emptyConfig(): AgentConfig {
  const preset = PRESETS[0]
  return {
    provider: preset?.id ?? 'other',
    anthropic_base_url: preset?.baseUrl ?? '',
    anthropic_haiku_model: preset?.haiku ?? '',
    anthropic_sonnet_model: preset?.sonnet ?? '',
    anthropic_opus_model: preset?.opus ?? '',
    http_proxy: '',
    https_proxy: '',
    custom_envs: [],
  }
}

/** `row` with what `input` names. A secret without a value stays; null or an empty one removes it. */
export function mergedAgent(row: Mergeable, input: AgentInput, box: SecretBox): Omit<Mergeable, 'id'> {
  const pick = <T>(given: T | undefined, present: T) => (given === undefined ? present : given)
  const { config, secrets } = input.config ? mergedConfig(row, input.config, box) : row
  return {
    name: pick(input.name?.trim(), row.name),
    description: pick(input.description?.trim(), row.description),
    icon: pick(input.icon, row.icon),
    instructions: pick(input.instructions, row.instructions),
    cpuLimit: pick(input.cpu_limit, row.cpuLimit),
    memoryLimitMb: pick(input.memory_limit_mb, row.memoryLimitMb),
    image: pick(input.image, row.image),
    config,
    secrets,
  }
}

/** What a sandbox is given when it starts, as text to compare. */
export function whatStartsReads({ config, secrets, cpuLimit, memoryLimitMb, instructions }: Omit<Mergeable, 'id'>): string {
  return JSON.stringify([config, secrets, cpuLimit, memoryLimitMb, instructions])
}

function mergedConfig(row: Mergeable, input: ConfigInput, box: SecretBox): Pick<Mergeable, 'config' | 'secrets'> {
  const { anthropic_auth_token: token, custom_envs: envs, ...plain } = input
  const secrets: Record<string, SealedSecret> = { ...row.secrets }
  const put = (name: string, value: string | null | undefined) => {
    if (value === undefined) return
    if (value === null || value === '') delete secrets[name]
    else secrets[name] = { last4: value.length >= 12 ? value.slice(-4) : '', setAt: new Date().toISOString(), ciphertext: box.seal(value, secretContext(row.id, name)) }
  }
  put('anthropic_auth_token', token)
  const config: AgentConfig = { ...row.config, ...plain }
  if (envs) {
    const kept = new Set(envs.filter((env) => env.secret).map((env) => `env:${env.key}`))
    for (const name of Object.keys(secrets)) if (name.startsWith('env:') && !kept.has(name)) delete secrets[name]
    for (const env of envs) if (env.secret) put(`env:${env.key}`, env.value || undefined)
    config.custom_envs = envs.map(({ key, value = '', secret = false }) => (secret ? { key, secret } : { key, value, secret }))
  }
  return { config, secrets }
}
