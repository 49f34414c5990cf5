// One sidecar process per sandbox, outside of it: started, kept alive, ended. Lives on when the server ends.
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../../lib/logger.ts'
import type { SandboxFolders } from './layout.ts'
import { endProcess, isAlive, markOf, type ProcessMark } from './processes.ts'

const REVOKED = 77
const MAX_WAIT_MS = 10_000

type Note = ProcessMark & { internalUrl: string }
interface Keeping {
  process?: Bun.Subprocess
  fails: number
  notBefore: number
}

/** Keeps sidecars running. */
export class Sidecars {
  private readonly keeping = new Map<string, Keeping>()
  private disposed = false

  constructor(private readonly options: { sidecarBin: string; internalUrl: () => string; logger: Logger }) {}

  /** Starts the sidecar of a sandbox unless it runs with the present address of the server. */
  async ensure(folders: SandboxFolders, name: string): Promise<void> {
    const url = this.options.internalUrl()
    if (this.disposed || url === '') return
    const state = this.keeping.get(name) ?? { fails: 0, notBefore: 0 }
    this.keeping.set(name, state)
    const note = readNote(folders)
    if (note && isAlive(note)) {
      if (note.internalUrl === url) return
      await endProcess(note)
    }
    // Ended meanwhile: a sidecar of a sandbox that has gone would have nobody to end it.
    if (this.keeping.get(name) !== state) return
    if (performance.now() >= state.notBefore && !this.disposed) this.spawn(folders, name, state, url)
  }

  async stop(folders: SandboxFolders, name: string): Promise<void> {
    this.keeping.delete(name)
    const note = readNote(folders)
    if (note) await endProcess(note)
    rmSync(folders.sidecarNote, { force: true })
  }

  [Symbol.dispose](): void {
    this.disposed = true
  }

  private spawn(folders: SandboxFolders, name: string, state: Keeping, internalUrl: string): void {
    const env = {
      PATH: '/usr/bin:/bin',
      SAC_INTERNAL_URL: internalUrl,
      SAC_TOKEN_FILE: folders.tokenFile,
      SAC_WATCH_DIR: folders.output,
      SAC_JOURNAL: folders.journal,
      SAC_SOCKET: folders.sidecarSocket,
    }
    const log = openSync(join(folders.hidden, 'sidecar.log'), 'w', 0o600)
    const child = Bun.spawn([this.options.sidecarBin], { env, cwd: '/', stdin: 'ignore', stdout: log, stderr: log, detached: true })
    closeSync(log)
    child.unref()
    const mark = markOf(child.pid)
    if (mark) writeFileSync(folders.sidecarNote, JSON.stringify({ ...mark, internalUrl }), { mode: 0o600 })
    const startedAt = performance.now()
    state.process = child
    state.notBefore = Number.POSITIVE_INFINITY
    void child.exited.then((code) => {
      if (this.keeping.get(name) !== state) return
      // A sidecar whose token is no longer good belongs to an earlier start; a new one comes with the next start.
      state.fails = performance.now() - startedAt > 30_000 ? 0 : state.fails + 1
      state.notBefore = code === REVOKED ? performance.now() + MAX_WAIT_MS : performance.now() + Math.min(MAX_WAIT_MS, 100 * 2 ** state.fails)
      if (!this.disposed) this.options.logger.warn('a sidecar ended', { sandbox: name, code })
    })
  }
}

function readNote({ sidecarNote }: SandboxFolders): Note | undefined {
  try {
    return JSON.parse(readFileSync(sidecarNote, 'utf8')) as Note
  } catch {
    return undefined
  }
}
