// The CLI's home: what makes it start at its prompt, merged into what is there and never overwriting it.
import type { AgentFolder } from './agent-folder.ts'

type Json = Record<string, unknown>

/** Colours for the CLI, and those that it was seeded with before: any others were chosen in the CLI, and stay. */
export interface SeededTheme {
  theme: 'light' | 'dark'
  before?: string
}

/** Seeds `~/.claude.json` (onboarding, trust) and `~/.claude/settings.json` (edits accepted: the sandbox is the guard). */
export function seedHome(home: AgentFolder, workspace: string, { theme, before }: SeededTheme): void {
  const themed = (present: Json) => ({ ...present, theme: present.theme === undefined || present.theme === before ? theme : present.theme })
  const state = readJson(home, '.claude.json')
  const projects = asObject(state.projects)
  const project = { ...asObject(projects[workspace]), hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true }
  writeJson(home, '.claude.json', {
    ...themed(state),
    hasCompletedOnboarding: true,
    // A question about its permission mode, which would stand before the prompt of a new agent.
    hasSeenAutoDefaultNudge: true,
    bypassPermissionsModeAccepted: true,
    projects: { ...projects, [workspace]: project },
  })
  using folder = home.folder('.claude')
  const present = readJson(folder, 'settings.json')
  writeJson(folder, 'settings.json', { ...themed(present), permissions: { defaultMode: 'acceptEdits', ...asObject(present.permissions) } })
}

function writeJson(folder: AgentFolder, name: string, value: Json): void {
  folder.write(name, `${JSON.stringify(value, null, 2)}\n`)
}

// A file that the agent broke is begun anew; the CLI would do the same.
function readJson(folder: AgentFolder, name: string): Json {
  try {
    return asObject(JSON.parse(folder.read(name) ?? ''))
  } catch {
    return {}
  }
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}
