// What an agent does now, in one line; the owner's pages and the admins' show the same. Pure.
import type { AgentState } from '../sessions/agent-statuses.ts'
import type { SessionRow, StepRecord } from '../sessions/schema.ts'

const ONGOING: Record<StepRecord['step'], string> = {
  scheduling: 'Scheduling',
  image: 'Getting Claude Code',
  starting: 'Starting the sandbox',
  restoring: 'Restoring files',
  skills: 'Syncing skills',
  terminal: 'Waiting for the terminal',
}

/** What a start does now, for one line. */
export function ongoingWord(steps: readonly StepRecord[]): string {
  const last = steps.at(-1)
  return last ? ONGOING[last.step] : 'Starting'
}

/** What an agent does, or why it does nothing; the second line of its row. */
export function lineOf({ description = '', session, state }: { description?: string; session?: SessionRow | null; state: AgentState }): string {
  switch (state) {
    case 'working':
    case 'needs-you':
      return session?.activityDetail ?? (state === 'working' ? 'Working on it' : 'Waits for your answer')
    case 'running':
      return 'Waiting at the prompt'
    case 'idle':
      return session?.status === 'asleep' ? 'Sleeps until you wake it' : 'Nothing to do for a while'
    case 'failed':
      return session?.reason ?? 'It could not start'
    case 'starting':
      return ongoingWord(session?.steps ?? [])
    default:
      return session?.reason ?? description
  }
}
