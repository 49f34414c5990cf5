// Whom the files and processes of a sandbox belong to when the server is root: a user that nobody else is.
import { readFileSync } from 'node:fs'

// Far above the users of machines and the ranges that container tools hand out.
const FIRST_ID = 1_900_000_000
const IDS = 200_000_000
// Inside a container only the first 65 536 may exist; below the numbers that systemd uses, above those of people.
const SMALL_FIRST_ID = 40_000
const SMALL_IDS = 20_000

/** User and group number of an agent's sandbox; undefined where the server is an ordinary user and everything is its own. */
export function sandboxOwner(agentId: number): number | undefined {
  if (process.getuid?.() !== 0) return undefined
  return mapped(FIRST_ID + IDS) ? FIRST_ID + (agentId % IDS) : SMALL_FIRST_ID + (agentId % SMALL_IDS)
}

/** Whether a user of this number can exist in our user namespace. */
function mapped(id: number): boolean {
  try {
    return readFileSync('/proc/self/uid_map', 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .some(([first = 0, , length = 0]) => id >= first && id < first + length)
  } catch {
    return false
  }
}
