// Which running agents have had nothing to do for a while, and which of those do something again.
import type { SandboxState } from '../runtime/runtime.ts'
import type { Settings } from '../settings/settings.ts'
import type { SessionRow } from './schema.ts'
import type { Sessions } from './sessions.ts'

const LIMIT_AGE_MS = 10_000
// The kernel notes a terminal's times in steps of eight seconds; less than that says nothing.
const GRAIN_MS = 10_000

/** Marks sessions as idle, and as running again when their terminal moves. Input and hooks wake them without it. */
export class Idleness {
  private limit?: { ms: Promise<number>; readAt: number }

  constructor(private readonly deps: { sessions: Sessions; settings: Settings }) {}

  /** Looks at one live session with what its sandbox shows. */
  async look(session: SessionRow, { activeAt }: Pick<SandboxState, 'activeAt'>): Promise<void> {
    const { sessions } = this.deps
    if (session.status === 'idle') {
      if (activeAt && activeAt.getTime() > session.updatedAt.getTime() + GRAIN_MS) await sessions.noteInput(session.agentId)
      return
    }
    const quietSince = Math.max(session.lastActive.getTime(), activeAt?.getTime() ?? 0)
    if (Date.now() - quietSince >= (await this.limitMs())) await sessions.markIdle(session, new Date(quietSince))
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
