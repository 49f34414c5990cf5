// What the middle of the workbench shows, from the agent's session.
import type { Stage, StartStepView } from '../../views/model.ts'
import { START_STEPS } from '../runtime/runtime.ts'
import type { SessionRow, StepRecord } from '../sessions/schema.ts'
import { percentOf } from '../sessions/steps.ts'
import type { Agent } from './agents.ts'

const WORDS: Record<StepRecord['step'], string> = {
  scheduling: 'Scheduled',
  image: 'Claude Code ready',
  starting: 'Sandbox started',
  restoring: 'Files restored',
  skills: 'Skills synced',
  terminal: 'Terminal ready',
}

/** The stage for an agent and its session. */
export function stageOf(agent: Agent, session: SessionRow | undefined): Stage {
  switch (session?.status) {
    case 'creating':
      return {
        kind: 'starting',
        startedAt: session.startedAt.toISOString(),
        percent: percentOf(session.steps),
        steps: stepViews(session.steps, false),
        reason: session.reason ?? undefined,
      }
    case 'running':
    case 'idle':
      return { kind: 'terminal', sessionId: session.id, warning: session.warning ?? undefined, needsRestart: agent.restartVersion > agent.startedVersion }
    case 'failed':
      return { kind: 'failed', reason: session.reason ?? 'No reason is known.', steps: stepViews(session.steps, true) }
    default:
      return { kind: 'stopped', reason: session?.reason ?? '' }
  }
}

function stepViews(steps: StepRecord[], failed: boolean): StartStepView[] {
  const last = steps.at(-1)
  const reached = last ? START_STEPS.indexOf(last.step) : -1
  return START_STEPS.filter((step) => step !== 'skills').map((step) => {
    const record = steps.find((item) => item.step === step)
    const word = WORDS[step]
    if (!record) return { word, state: START_STEPS.indexOf(step) < reached ? 'done' : 'later' }
    const open = record === last
    const seconds = record.endedMs === undefined ? undefined : `${((record.endedMs - record.startedMs) / 1000).toFixed(1)} s`
    return { word, state: open && failed ? 'failed' : open && record.endedMs === undefined ? 'now' : 'done', detail: record.detail, seconds }
  })
}
