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

/** The stage for an agent and its session; `standard` is the image of agents without one of their own. */
export function stageOf(agent: Agent, session: SessionRow | undefined, standard = ''): Stage {
  switch (session?.status) {
    case 'creating':
      return {
        kind: 'starting',
        startedAt: session.startedAt.toISOString(),
        percent: percentOf(session.steps),
        steps: stepViews(session.steps, session.startedAt, false),
        reason: session.reason ?? undefined,
        notice: session.notice ?? undefined,
      }
    case 'running':
    case 'idle':
      return {
        kind: 'terminal',
        sessionId: session.id,
        theme: session.theme,
        warning: session.warning ?? undefined,
        notice: session.notice ?? undefined,
        needsRestart: agent.restartVersion > agent.startedVersion,
        newImage: newImage(agent, standard),
        readyAt: session.readyAt?.toISOString(),
        model: agent.config.anthropic_opus_model.replace(/^.*\//, '').replace(/^claude-/, '') || undefined,
      }
    case 'failed':
      return {
        kind: 'failed',
        reason: session.reason ?? 'No reason is known.',
        seconds: secondsOf(session.steps.at(-1)?.endedMs),
        steps: stepViews(session.steps, session.startedAt, true),
      }
    case 'asleep':
      return { kind: 'asleep' }
    default:
      return { kind: 'stopped', reason: session?.reason ?? '' }
  }
}

// What an agent runs is unknown until it was started once.
function newImage({ image, startedImage }: Agent, standard: string): string | undefined {
  const next = image ?? standard
  return startedImage && next !== '' && next !== startedImage ? next : undefined
}

function stepViews(steps: StepRecord[], startedAt: Date, failed: boolean): StartStepView[] {
  const last = steps.at(-1)
  const reached = last ? START_STEPS.indexOf(last.step) : -1
  return START_STEPS.filter((step) => step !== 'skills').map((step) => {
    const record = steps.find((item) => item.step === step)
    const word = WORDS[step]
    if (!record) return { word, state: START_STEPS.indexOf(step) < reached ? 'done' : 'later' }
    const open = record === last
    if (open && !failed && record.endedMs === undefined) return { word, state: 'now', detail: record.detail, since: new Date(startedAt.getTime() + record.startedMs).toISOString() }
    const seconds = record.endedMs === undefined ? undefined : secondsOf(record.endedMs - record.startedMs)
    return { word, state: open && failed ? 'failed' : 'done', detail: record.detail, seconds }
  })
}

// "5.1 s"; what takes no time to speak of has none.
function secondsOf(ms: number | undefined): string | undefined {
  return ms === undefined || ms < 50 ? undefined : `${(ms / 1000).toFixed(1)} s`
}
