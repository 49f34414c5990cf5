// Why files of an agent do not arrive, for the person who waits for them: what was refused last, until it is stored or gone.
import type { AppError } from '../lib/errors.ts'

/** Something that keeps files from arriving. */
export interface OutputTrouble {
  code: string
  /** What is the matter and what helps, for the person who waits. */
  message: string
  /** How many paths were refused and have not come since. */
  files: number
}

const MAX_PATHS = 1000
const TRY_AGAIN = 'They are kept in the sandbox, and the portal tries again by itself.'
const MESSAGES: Record<string, string> = {
  disk_full: `The portal’s disk is full, so new files cannot be kept. ${TRY_AGAIN} Tell an admin to make room.`,
  quota_exceeded: `Your space for output files is full. Delete files that you do not need; the others then arrive by themselves.`,
  file_too_large: 'A file is larger than the portal keeps. It stays in the sandbox only; an admin can raise the limit.',
}
const OTHERWISE = `New files cannot be kept right now. ${TRY_AGAIN}`

/** What this process refused, and why. Sidecars repeat what matters, so a restart forgets nothing for long. */
export class OutputTroubles {
  private readonly refusals = new Map<number, Map<string, string>>()

  /** A file was not stored. */
  refused(agentId: number, path: string, { kind, code }: AppError): void {
    if (kind !== 'disk_full' && kind !== 'too_large' && kind !== 'unavailable') return
    const own = this.refusals.get(agentId) ?? new Map<string, string>()
    // The newest refusal comes last.
    own.delete(path)
    if (own.size < MAX_PATHS) this.refusals.set(agentId, own.set(path, code))
  }

  /** A path is as its sandbox wants it. */
  settled(agentId: number, path: string): void {
    const own = this.refusals.get(agentId)
    if (own?.delete(path) && own.size === 0) this.refusals.delete(agentId)
  }

  /** The agent is no more. */
  forget(agentId: number): void {
    this.refusals.delete(agentId)
  }

  /** What keeps an agent's files from arriving now, by the newest refusal. */
  of(agentId: number): OutputTrouble | undefined {
    const own = this.refusals.get(agentId)
    const code = own && [...own.values()].at(-1)
    return own && code ? { code, message: MESSAGES[code] ?? OTHERWISE, files: own.size } : undefined
  }
}
