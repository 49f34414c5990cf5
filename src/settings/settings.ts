// The settings hierarchy: a user's value, else the system's, else the built-in one.
import { and, eq, inArray } from 'drizzle-orm'
import type { Db } from '../db/client.ts'
import { invalidFields } from '../lib/errors.ts'
import { isSettingKey, SETTINGS, type SettingKey } from './keys.ts'
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
}

/** Reads and changes settings. Reading fails loudly when the database does: nothing falls back to a laxer value. */
export class Settings {
  constructor(private readonly db: Db) {}

  /** `closed` is safe, `invite` the default; a broken row counts as closed. */
  async registrationMode(): Promise<'open' | 'invite' | 'closed'> {
    const mode = (await this.read(['registration_mode'])).registration_mode
    return mode === 'open' || mode === 'invite' ? mode : 'closed'
  }

  async limits(userId: number): Promise<Limits> {
    const values = await this.read(
      [
        'max_agents_per_user',
        'default_cpu_limit',
        'default_memory_limit_mb',
        'max_cpu_limit',
        'max_memory_limit_mb',
        'pids_limit',
        'output_max_bytes',
        'output_max_files',
        'output_max_file_bytes',
      ],
      userId,
    )
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
  async all(): Promise<{ key: SettingKey; value: unknown; changed: boolean }[]> {
    const rows = await this.db.select().from(systemSettings)
    const stored = new Map(rows.map((row) => [row.key, row.value]))
    return (Object.keys(SETTINGS) as SettingKey[]).map((key) => ({ key, value: stored.get(key) ?? SETTINGS[key].builtIn, changed: stored.has(key) }))
  }

  /** Sets a system value. Throws `invalid` for an unknown key and for a bad value. */
  async set(key: string, value: unknown, by: { id: number } | undefined): Promise<void> {
    const known = check(key, value)
    await this.db
      .insert(systemSettings)
      .values({ key: known, value, updatedBy: by?.id })
      .onConflictDoUpdate({ target: systemSettings.key, set: { value, updatedBy: by?.id ?? null, updatedAt: new Date() } })
  }

  /** Sets a value for one user only. */
  async setForUser(userId: number, key: string, value: unknown): Promise<void> {
    const known = check(key, value)
    if (!SETTINGS[known].perUser) throw invalidFields({ [key]: 'This setting is for the whole portal.' })
    await this.db
      .insert(userSettings)
      .values({ userId, key: known, value })
      .onConflictDoUpdate({ target: [userSettings.userId, userSettings.key], set: { value, updatedAt: new Date() } })
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
    const values = Object.fromEntries(keys.map((key) => [key, SETTINGS[key].builtIn])) as Record<K, unknown>
    for (const row of [...system, ...own]) {
      const key = row.key as K
      // A value that an older or newer program stored is ignored when this one cannot use it.
      if (isSettingKey(key) && SETTINGS[key].problem(row.value) === undefined) values[key] = row.value
    }
    return values
  }
}

function check(key: string, value: unknown): SettingKey {
  if (!isSettingKey(key)) throw invalidFields({ [key === '__proto__' ? 'key' : key]: 'There is no such setting.' }, 'unknown_setting')
  const problem = SETTINGS[key].problem(value)
  if (problem) throw invalidFields({ [key]: problem })
  return key
}
