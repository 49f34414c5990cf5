// The CLI's home: what makes it start at its prompt, merged into what is there and never overwriting it.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

type Json = Record<string, unknown>

/** Seeds `~/.claude.json` (onboarding, trust) and `~/.claude/settings.json` (edits accepted: the sandbox is the guard). */
export async function seedHome(home: string, workspace: string, theme: 'light' | 'dark'): Promise<void> {
  await mkdir(join(home, '.claude'), { recursive: true, mode: 0o700 })
  const state = await readJson(join(home, '.claude.json'))
  const projects = asObject(state.projects)
  const project = { ...asObject(projects[workspace]), hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true }
  await writeJson(join(home, '.claude.json'), {
    theme,
    ...state,
    hasCompletedOnboarding: true,
    // A question about its permission mode, which would stand before the prompt of a new agent.
    hasSeenAutoDefaultNudge: true,
    bypassPermissionsModeAccepted: true,
    projects: { ...projects, [workspace]: project },
  })
  const settings = join(home, '.claude', 'settings.json')
  const present = await readJson(settings)
  await writeJson(settings, { theme, ...present, permissions: { defaultMode: 'acceptEdits', ...asObject(present.permissions) } })
}

/** Writes a file whole or not at all, and only when its text is another one. */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.new`
  await writeFile(temporary, text, { mode })
  await rename(temporary, path)
}

async function writeJson(path: string, value: Json): Promise<void> {
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`)
}

// A file that the agent broke is begun anew; the CLI would do the same.
async function readJson(path: string): Promise<Json> {
  const text = await readFile(path, 'utf8').catch(() => '')
  try {
    return asObject(JSON.parse(text))
  } catch {
    return {}
  }
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}
