// The settings hierarchy: a user's value, else the system's, else the environment's, else the built-in one.
import { and, count, eq, inArray } from 'drizzle-orm'
import type { Db } from '../db/client.ts'
import { invalidFields } from '../lib/errors.ts'
import { imageNote } from '../lib/image-names.ts'
import type { ClusterChoices, ClusterClasses } from '../runtime/runtime.ts'
import { type EnvironmentValues, isSettingKey, ruleOf, SETTINGS, type SettingKey } from './keys.ts'
import { systemSettings, userSettings } from './schema.ts'

/** What one user may use. */
export interface Limits {
  maxAgents: number
  cpuLimit: number
  memoryLimitMb: number
  maxCpuLimit: number
  maxMemoryLimitMb: number
  pidsLimit: number
  outputMaxBytes: number
  outputMaxFiles: number
  outputMaxFileBytes: number
  /** Image of agents that have none of their own; empty where there are no images. */
  image: string
  /** Images that people choose among; fewer than two leave the choice to admins. */
  allowedImages: string[]
  /** What else a sandbox in a cluster is given. */
  choices: ClusterChoices
}

/** A system value with where it comes from. */
export interface EffectiveSetting {
  key: SettingKey
  value: unknown
  /** Whether somebody has set it. */
  changed: boolean
  /** What holds without the system's value. */
  inherited: unknown
  inheritedFrom: 'environment' | 'built-in'
  /** How many users have a value of their own. */
  overrides: number
}

interface SettingsOptions {
  environment?: EnvironmentValues
  /** Asks the cluster, where there is one, which classes it has. */
  classes?: () => Promise<ClusterClasses>
}

const LIMIT_KEYS = [
  'max_agents_per_user',
  'default_cpu_limit',
  'default_memory_limit_mb',
  'max_cpu_limit',
  'max_memory_limit_mb',
  'pids_limit',
  'output_max_bytes',
  'output_max_files',
  'output_max_file_bytes',
  'docker_image',
  'allowed_images',
  'agent_storage_size',
  'agent_storage_class',
  'agent_runtime_class',
  'default_cpu_request',
  'default_memory_request',
  'ephemeral_storage_limit',
] as const satisfies SettingKey[]

/** Reads and changes settings. Reading fails loudly when the database does: nothing falls back to a laxer value. */
export class Settings {
  constructor(
    private readonly db: Db,
    private readonly options: SettingsOptions = {},
  ) {}

  /** `closed` is safe, `invite` the default; a broken row counts as closed. */
  async registrationMode(): Promise<'open' | 'invite' | 'closed'> {
    const mode = (await this.read(['registration_mode'])).registration_mode
    return mode === 'open' || mode === 'invite' ? mode : 'closed'
  }

  async limits(userId: number): Promise<Limits> {
    const values = await this.read([...LIMIT_KEYS], userId)
    return {
      maxAgents: Number(values.max_agents_per_user),
      cpuLimit: Number(values.default_cpu_limit),
      memoryLimitMb: Number(values.default_memory_limit_mb),
      maxCpuLimit: Number(values.max_cpu_limit),
      maxMemoryLimitMb: Number(values.max_memory_limit_mb),
      pidsLimit: Number(values.pids_limit),
      outputMaxBytes: Number(values.output_max_bytes),
      outputMaxFiles: Number(values.output_max_files),
      outputMaxFileBytes: Number(values.output_max_file_bytes),
      image: String(values.docker_image),
      allowedImages: (values.allowed_images as unknown[]).map(String),
      choices: {
        storageSize: String(values.agent_storage_size),
        storageClass: String(values.agent_storage_class),
        runtimeClass: String(values.agent_runtime_class),
        cpuRequest: String(values.default_cpu_request),
        memoryRequest: String(values.default_memory_request),
        ephemeralStorageLimit: String(values.ephemeral_storage_limit),
      },
    }
  }

  /** After how much quiet an agent counts as idle. */
  async idleAfterMs(): Promise<number> {
    return Number((await this.read(['idle_after_seconds'])).idle_after_seconds) * 1000
  }

  async systemInstructions(): Promise<string> {
    return String((await this.read(['agent_system_instructions'])).agent_system_instructions)
  }

  /** All system values with their origin. */
  async all(): Promise<EffectiveSetting[]> {
    const { db } = this
    const [rows, own] = await Promise.all([db.select().from(systemSettings), db.select({ key: userSettings.key, users: count() }).from(userSettings).groupBy(userSettings.key)])
    const stored = new Map(rows.map((row) => [row.key, row.value]))
    const overrides = new Map(own.map((row) => [row.key, row.users]))
    return (Object.keys(SETTINGS) as SettingKey[]).map((key) => {
      const inherited = this.inherited(key)
      const changed = stored.has(key)
      return { key, value: changed ? stored.get(key) : inherited.value, changed, inherited: inherited.value, inheritedFrom: inherited.from, overrides: overrides.get(key) ?? 0 }
    })
  }

  /**
   * Sets a system value, or resets it to what is inherited with undefined. Answers with what may surprise about it. Throws
   * `invalid` for an unknown key and for a bad value.
   */
  async set(key: string, value: unknown, by: { id: number } | undefined): Promise<string | undefined> {
    return (await this.change({ [key]: value }, by))[key]
  }

  /** Sets several system values, all or none of them, as `set` does. */
  async change(changes: Record<string, unknown>, by: { id: number } | undefined): Promise<Record<string, string>> {
    const problems: Record<string, string> = {}
    const notes: Record<string, string> = {}
    for (const [key, value] of Object.entries(changes)) {
      const problem = problemOf(key, value) ?? (await this.checked(key, value, notes))
      if (problem) problems[named(key)] = problem
    }
    const unknown = Object.keys(changes).some((key) => !isSettingKey(key))
    if (Object.keys(problems).length > 0) throw invalidFields(problems, unknown ? 'unknown_setting' : undefined)
    await this.db.transaction(async (tx) => {
      for (const [key, value] of Object.entries(changes)) {
        if (value === undefined) await tx.delete(systemSettings).where(eq(systemSettings.key, key))
        else
          await tx
            .insert(systemSettings)
            .values({ key, value, updatedBy: by?.id })
            .onConflictDoUpdate({ target: systemSettings.key, set: { value, updatedBy: by?.id ?? null, updatedAt: new Date() } })
      }
    })
    return notes
  }

  /** Sets a value for one user only. */
  async setForUser(userId: number, key: string, value: unknown): Promise<void> {
    const problem = problemOf(key, value)
    if (problem) throw invalidFields({ [named(key)]: problem })
    if (!isSettingKey(key) || !ruleOf(key).perUser) throw invalidFields({ [key]: 'This setting is for the whole portal.' })
    await this.db
      .insert(userSettings)
      .values({ userId, key, value })
      .onConflictDoUpdate({ target: [userSettings.userId, userSettings.key], set: { value, updatedAt: new Date() } })
  }

  /** Whether the cluster has a class. Where nobody may look it is taken at its word, with a note. */
  private async checked(key: string, value: unknown, notes: Record<string, string>): Promise<string | undefined> {
    const note = imagesNote(key, value)
    if (note) notes[key] = note
    const kind = key === 'agent_storage_class' ? 'storageClasses' : key === 'agent_runtime_class' ? 'runtimeClasses' : undefined
    if (!kind || !value || !this.options.classes) return undefined
    const present = (await this.options.classes())[kind]
    if (!present) notes[key] = UNCHECKED
    else if (!present.includes(String(value)))
      return `The cluster has no ${key === 'agent_storage_class' ? 'storage' : 'runtime'} class of this name. ${present.length > 0 ? `There ${present.length > 1 ? 'are' : 'is'}: ${present.join(', ')}.` : 'It has none.'}`
    return undefined
  }

  private inherited(key: SettingKey): { value: unknown; from: 'environment' | 'built-in' } {
    const value = this.options.environment?.[key]
    return value === undefined ? { value: ruleOf(key).builtIn, from: 'built-in' } : { value, from: 'environment' }
  }

  private async read<K extends SettingKey>(keys: K[], userId?: number): Promise<Record<K, unknown>> {
    const system = await this.db.select().from(systemSettings).where(inArray(systemSettings.key, keys))
    const own =
      userId === undefined
        ? []
        : await this.db
            .select()
            .from(userSettings)
            .where(and(eq(userSettings.userId, userId), inArray(userSettings.key, keys)))
    const values = Object.fromEntries(keys.map((key) => [key, this.inherited(key).value])) as Record<K, unknown>
    for (const row of [...system, ...own]) {
      const key = row.key as K
      // A value that an older or newer program stored is ignored when this one cannot use it; no image is none.
      const isUsable = isSettingKey(key) && ruleOf(key).problem(row.value) === undefined && !(key === 'docker_image' && row.value === '')
      if (isUsable) values[key] = row.value
    }
    return values
  }
}

/** What may surprise about the values of now; `unchecked` lists classes that nobody could look for. */
export function notesOf(settings: EffectiveSetting[], unchecked = ''): Record<string, string> {
  const notes = settings.flatMap(({ key, value }) => {
    const note = unchecked.split('.').includes(key) ? UNCHECKED : imagesNote(key, value)
    return note ? [[key, note] as const] : []
  })
  return Object.fromEntries(notes)
}

const UNCHECKED = 'The portal may not list the cluster’s classes: whether it is there shows when the next agent starts.'

function imagesNote(key: string, value: unknown): string | undefined {
  if (key !== 'docker_image' && key !== 'allowed_images') return undefined
  return [value].flat().flatMap((name) => imageNote(String(name)) ?? [])[0]
}

// Undefined as a value resets; that is never refused.
function problemOf(key: string, value: unknown): string | undefined {
  if (!isSettingKey(key)) return 'There is no such setting.'
  return value === undefined ? undefined : ruleOf(key).problem(value)
}

function named(key: string): string {
  return key === '__proto__' ? 'key' : key
}
