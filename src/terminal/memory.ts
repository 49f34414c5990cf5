// What programs have switched on their terminals (mouse, paste brackets, other screen), kept over a restart of the server:
// a program paints again when it is asked to, but does not switch again.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MOST_BYTES = 4096

/** One small file per agent. Losing one costs a mode, so nothing here ever fails. */
export class ModesMemory {
  constructor(private readonly folder: string) {
    attempt(() => mkdirSync(folder, { recursive: true, mode: 0o700 }))
  }

  /** The escape sequences of the last `keep`; nothing when there was none. */
  recall(agentId: number): Uint8Array {
    const kept = attempt(() => readFileSync(this.fileOf(agentId)))
    return kept && kept.byteLength <= MOST_BYTES ? kept : new Uint8Array(0)
  }

  /** Replaces what is kept, whole or not at all. */
  keep(agentId: number, escapes: Uint8Array): void {
    const fresh = `${this.fileOf(agentId)}.new`
    attempt(() => {
      writeFileSync(fresh, escapes.subarray(0, MOST_BYTES), { mode: 0o600 })
      renameSync(fresh, this.fileOf(agentId))
    })
  }

  forget(agentId: number): void {
    attempt(() => rmSync(this.fileOf(agentId), { force: true }))
  }

  private fileOf(agentId: number): string {
    return join(this.folder, String(agentId))
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    // @NOTE no such file, or a full disk: the terminal works all the same.
    return undefined
  }
}
