// What makes the CLI start at its prompt: facts that are merged into its home and never overwrite what somebody chose. Pure.

type Json = Record<string, unknown>

/** One JSON file of the home. `set` wins over what is there, `defaults` gives way to it. */
export interface HomeSeed {
  file: string
  set: Json
  defaults: Json
}

/** Colours for the CLI, and those that it was seeded with before: any others were chosen in the CLI, and stay. */
export interface SeededTheme {
  theme: 'light' | 'dark'
  before?: string
}

/** Onboarding and trust are done, and edits are accepted: the sandbox is the guard. */
export function homeSeeds(workspace: string): HomeSeed[] {
  const state = {
    hasCompletedOnboarding: true,
    // A question about its permission mode, which would stand before the prompt of a new agent.
    hasSeenAutoDefaultNudge: true,
    bypassPermissionsModeAccepted: true,
    projects: { [workspace]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
  }
  return [
    { file: '.claude.json', set: state, defaults: {} },
    { file: '.claude/settings.json', set: {}, defaults: { permissions: { defaultMode: 'acceptEdits' } } },
  ]
}

/** The content of a file of the home after the seed. */
export function seeded(present: Json, { set, defaults }: HomeSeed, { theme, before }: SeededTheme): Json {
  const merged = over(over(defaults, present), set)
  return { ...merged, theme: present.theme === undefined || present.theme === before ? theme : present.theme }
}

function over(under: Json, top: Json): Json {
  const both = { ...under }
  for (const [name, value] of Object.entries(top)) both[name] = isObject(value) && isObject(under[name]) ? over(under[name], value) : value
  return both
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
