// The CLI's home on this machine: seeds are merged into what is there.
import { homeSeeds, type SeededTheme, seeded } from '../home-seeds.ts'
import type { AgentFolder } from './agent-folder.ts'

type Json = Record<string, unknown>

/** Seeds `~/.claude.json` (onboarding, trust) and `~/.claude/settings.json` (edits accepted). */
export function seedHome(home: AgentFolder, workspace: string, theme: SeededTheme): void {
  for (const seed of homeSeeds(workspace)) {
    const [name = '', folder] = seed.file.split('/').reverse()
    if (folder === undefined) {
      write(home, name, seeded(read(home, name), seed, theme))
      continue
    }
    using inner = home.folder(folder)
    write(inner, name, seeded(read(inner, name), seed, theme))
  }
}

function write(folder: AgentFolder, name: string, value: Json): void {
  folder.write(name, `${JSON.stringify(value, null, 2)}\n`)
}

// A file that the agent broke is begun anew; the CLI would do the same.
function read(folder: AgentFolder, name: string): Json {
  try {
    const value: unknown = JSON.parse(folder.read(name) ?? '')
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
  } catch {
    return {}
  }
}
