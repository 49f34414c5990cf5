// Which running agents have had nothing to do for a while, and which of those do something again.
import type { Runtime, SandboxState } from '../runtime/runtime.ts'
import type { Settings } from '../settings/settings.ts'
import type { SessionRow } from './schema.ts'
import type { Sessions } from './sessions.ts'

const LIMIT_AGE_MS = 10_000
// The kernel notes a terminal's times in steps of eight seconds; less than that says nothing.
const GRAIN_MS = 10_000
/** A tool may run for hours without a word. One that has been silent for this long is taken to hang. */
const SILENT_WORK_MS = 4 * 3_600_000

/**
 * Marks sessions as idle, and as running again when their terminal moves; input and hooks wake them without it. Where idle
 * sandboxes sleep, they are put to sleep instead, and only a wish wakes them.
 */
export class Idleness {
  private limit?: { ms: Promise<number>; readAt: number }

  constructor(private readonly deps: { sessions: Sessions; settings: Pick<Settings, 'idleAfterMs'>; runtime: Pick<Runtime, 'sleepsWhenIdle'> }) {}

  /** Looks at one live session with what its sandbox shows. */
  async look(session: SessionRow, { activeAt }: Pick<SandboxState, 'activeAt'>): Promise<void> {
    const { sessions, runtime } = this.deps
    if (session.status === 'idle' && !runtime.sleepsWhenIdle) {
      if (activeAt && activeAt.getTime() > session.updatedAt.getTime() + GRAIN_MS) await sessions.noteInput(session.agentId)
      return
    }
    const quietSince = Math.max(session.lastActive.getTime(), activeAt?.getTime() ?? 0)
    const quietMs = Date.now() - quietSince
    const limitMs = await this.limitMs()
    if (quietMs < limitMs) return
    if (!runtime.sleepsWhenIdle) return sessions.markIdle(session, new Date(quietSince))
    if (session.activity === 'working' && quietMs < Math.max(limitMs, SILENT_WORK_MS)) return
    await sessions.sleep(session, new Date(quietSince))
  }

  private limitMs(): Promise<number> {
    if (!this.limit || performance.now() - this.limit.readAt > LIMIT_AGE_MS) {
      const ms = this.deps.settings.idleAfterMs()
      this.limit = { ms, readAt: performance.now() }
      ms.catch(() => {
        this.limit = undefined
      })
    }
    return this.limit.ms
  }
}
