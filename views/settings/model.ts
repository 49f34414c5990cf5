// What the page of the settings is made of.

/** One setting with its field. */
export interface SettingView {
  key: string
  label: string
  about: string
  unit?: string
  placeholder?: string
  /** Several lines, one value in each. */
  isList: boolean
  isNumber: boolean
  /** What stands in the field. */
  text: string
  /** What stands there while nobody has typed. */
  was: string
  /** Whether an admin has set it. */
  changed: boolean
  /** What holds without that. */
  inherited: string
  inheritedFrom: 'environment' | 'built-in'
  /** How many users have a value of their own. */
  overrides: number
  /** What may surprise about its value. */
  note?: string
  error?: string
}

/** The form. */
export interface SettingsFormModel {
  groups: { id: string; title: string; settings: SettingView[] }[]
  /** Why nothing was saved. */
  problem?: string
  saved: boolean
  /** How many fields are wrong. */
  wrong: number
}
