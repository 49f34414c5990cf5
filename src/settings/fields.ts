// Between the form of the settings and their values: what stands in a field, and what was typed into it. Pure.
import type { SettingsFormModel, SettingView } from '../../views/settings/model.ts'
import { type FieldKind, isSettingKey, ruleOf, type SettingForm, type SettingGroup, type SettingKey } from './keys.ts'
import type { EffectiveSetting } from './settings.ts'

const GROUPS: { id: SettingGroup; title: string }[] = [
  { id: 'agents', title: 'Agents' },
  { id: 'cluster', title: 'In the cluster' },
]

/** What was typed, by the name of its field. */
export type TypedFields = Record<string, string | string[] | undefined>

interface Shown {
  settings: EffectiveSetting[]
  /** Whether the settings of agents in a cluster mean anything here. */
  inCluster: boolean
  notes?: Record<string, string>
  typed?: TypedFields
  errors?: Record<string, string>
  problem?: string
  saved?: boolean
}

/** The whole form. */
export function settingsForm({ settings, inCluster, notes = {}, typed = {}, errors = {}, problem, saved }: Shown): SettingsFormModel {
  const groups = GROUPS.map(({ id, title }) => ({
    id,
    title,
    settings: settings.flatMap((setting): SettingView[] => {
      const { form, clusterOnly } = ruleOf(setting.key)
      if (form?.group !== id || (clusterOnly && !inCluster)) return []
      return [view(setting, form, { typed: typed[setting.key], was: typed[`was.${setting.key}`], note: notes[setting.key], error: errors[setting.key] })]
    }),
  }))
  return { groups: groups.filter((group) => group.settings.length > 0), problem, saved: saved ?? false, wrong: Object.keys(errors).length }
}

interface Change {
  /** Undefined resets to what is inherited. */
  values: Record<string, unknown>
  errors: Record<string, string>
}

/** What somebody has changed in the form. A value that is the inherited one resets; one that another admin has changed meanwhile is an error. */
export function changesOf(typed: TypedFields, settings: EffectiveSetting[]): Change {
  const change: Change = { values: {}, errors: {} }
  const plain = (text: string) => text.replace(/\r\n/g, '\n')
  for (const { key, value, inherited } of settings) {
    const { form } = ruleOf(key)
    const [text, was] = [typed[key], typed[`was.${key}`]]
    if (!form || typeof text !== 'string' || plain(text) === plain(String(was ?? ''))) continue
    if (typeof was === 'string' && plain(was) !== textOf(form.kind, value)) change.errors[key] = `Somebody has changed this to “${textOf(form.kind, value)}” meanwhile.`
    const parsed = parse(form.kind, text)
    if (typeof parsed === 'object' && 'problem' in parsed) change.errors[key] = parsed.problem
    else change.values[key] = JSON.stringify(parsed.value) === JSON.stringify(inherited) ? undefined : parsed.value
  }
  return change
}

/** Whether a text names a setting with a field. */
export function hasField(key: string): key is SettingKey {
  return isSettingKey(key) && ruleOf(key).form !== undefined
}

/** How a value stands in its field. */
export function textOf(kind: FieldKind, value: unknown): string {
  switch (kind) {
    case 'gib':
      return String(Math.round((Number(value) / 1024) * 1000) / 1000)
    case 'minutes':
      return String(Math.round((Number(value) / 60) * 1000) / 1000)
    case 'list':
      return Array.isArray(value) ? value.join('\n') : ''
    default:
      return String(value)
  }
}

function parse(kind: FieldKind, typed: string): { value: unknown } | { problem: string } {
  const text = typed.trim()
  if (kind === 'text') return { value: text }
  if (kind === 'list') {
    const lines = text.split('\n').map((line) => line.trim())
    return { value: lines.filter(Boolean) }
  }
  const number = Number(text.replace(',', '.'))
  if (text === '' || !Number.isFinite(number)) return { problem: 'Give a number.' }
  if (kind === 'gib') return { value: Math.round(number * 1024) }
  return { value: kind === 'minutes' ? Math.round(number * 60) : number }
}

interface Around {
  typed?: string | string[]
  was?: string | string[]
  note?: string
  error?: string
}

function view({ key, value, changed, inherited, inheritedFrom, overrides }: EffectiveSetting, form: SettingForm, { typed, note, error }: Around): SettingView {
  const { label, about, kind, unit, placeholder } = form
  const inheritedText = textOf(kind, inherited)
  return {
    key,
    label,
    about,
    unit,
    placeholder,
    isList: kind === 'list',
    isNumber: kind !== 'list' && kind !== 'text',
    text: typeof typed === 'string' ? typed : textOf(kind, value),
    was: textOf(kind, value),
    changed,
    inherited: inheritedText,
    inheritedFrom,
    overrides,
    note,
    error,
  }
}
