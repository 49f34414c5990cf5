// From rows to what the pages of rollouts show, and from their form to a wish. Pure.
import type { RolloutAgentView, RolloutFormModel, RolloutSummary } from '../../views/rollouts/model.ts'
import type { ListedAgent, RolloutView } from './rollouts.ts'
import { ROLLOUT_DEFAULTS, type RolloutInput } from './rules.ts'

/** A rollout as pages show it. */
export function summaryOf({ rollout, counts }: RolloutView): RolloutSummary {
  const { id, image, status, reason, wave, waveSize, createdAt, finishedAt } = rollout
  const total = Object.values(counts).reduce((sum, part) => sum + part, 0)
  return { id, image: image ?? undefined, status, reason: reason ?? undefined, wave, waveSize, counts, total, createdAt, finishedAt: finishedAt ?? undefined }
}

/** An agent of it. */
export function agentView({ id, name, owner, state, goingBack, wave, reason, isLive, activity }: ListedAgent): RolloutAgentView {
  const waiting = state === 'queued' ? whyWaiting(isLive, activity) : undefined
  return { id, name, owner: owner ?? '', state, goingBack, wave: wave ?? undefined, reason: reason ?? waiting }
}

function whyWaiting(isLive: boolean, activity: ListedAgent['activity']): string | undefined {
  if (!isLive) return 'It does not run, and waits until running agents came up with the image.'
  return activity ? LEFT_ALONE[activity] : undefined
}

// Why an agent's turn may take a while.
const LEFT_ALONE: Partial<Record<NonNullable<ListedAgent['activity']>, string>> = {
  working: 'It works, and is left alone for a while.',
  'needs-you': 'It waits for an answer, and is left alone for a while.',
}

export type FormFields = Record<string, string | string[] | undefined>

/** What stands in the form; what was typed goes before what it begins with. */
export function formValues(fields: FormFields, hasChosen: boolean): RolloutFormModel['values'] {
  const { waveSize, maxFailures, waitSeconds } = ROLLOUT_DEFAULTS
  const text = (name: string, first: string) => (typeof fields[name] === 'string' ? fields[name] : first)
  return {
    image: text('image', ''),
    agents: text('agents', hasChosen ? 'chosen' : ''),
    name: text('name', ''),
    wave_size: text('wave_size', String(waveSize)),
    max_failures: text('max_failures', String(maxFailures)),
    wait_minutes: text('wait_minutes', String(waitSeconds / 60)),
  }
}

/** Numbers of the agents that were chosen. */
export function chosenIds(fields: FormFields): number[] {
  return [fields.ids ?? []].flat().flatMap((text) => (/^[1-9]\d{0,14}$/.test(text) ? [Number(text)] : []))
}

/** What the form asks for. */
export function wishOf(fields: FormFields): RolloutInput {
  const { image, agents, name, wave_size: waveSize, max_failures: maxFailures, wait_minutes: minutes } = formValues(fields, chosenIds(fields).length > 0)
  const pace = { waveSize: numberOf(waveSize), maxFailures: numberOf(maxFailures), waitSeconds: Math.round(numberOf(minutes) * 60) }
  const filter = { name: name.trim() || undefined, image: agents.startsWith('image:') ? agents.slice('image:'.length) : undefined }
  // All agents are meant only where that was said; nothing chosen is refused.
  const isFilter = agents === 'all' || agents.startsWith('image:')
  return { image: image.trim() || null, agents: isFilter ? { filter } : { agentIds: chosenIds(fields) }, ...pace }
}

function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text.replace(',', '.'))
}
