// The record of a start: which steps ran, how long they took, how far the bar is. Pure.
import { START_STEPS, type StartProgress } from '../runtime/runtime.ts'
import type { StepRecord } from './schema.ts'

// Share of the bar that each step takes, from what a start usually costs.
const WEIGHT: Record<StepRecord['step'], number> = { scheduling: 5, image: 35, starting: 15, restoring: 20, skills: 5, terminal: 20 }

/** Adds a piece of news: closes the step before it and opens or updates its own. */
export function withProgress(steps: readonly StepRecord[], news: StartProgress, atMs: number): StepRecord[] {
  const record = { step: news.step, ...(news.detail === undefined ? {} : { detail: news.detail }), ...(news.total ? { done: news.done ?? 0, total: news.total } : {}) }
  const known = steps.findIndex((step) => step.step === news.step)
  if (known >= 0) return steps.map((step, at) => (at === known ? { ...step, ...record } : step))
  return [...closed(steps, atMs), { ...record, startedMs: atMs }]
}

/** Ends the step that is open. */
export function closed(steps: readonly StepRecord[], atMs: number): StepRecord[] {
  return steps.map((step) => (step.endedMs === undefined ? { ...step, endedMs: Math.max(atMs, step.startedMs) } : step))
}

/** How far a start is, 0 to 100. */
export function percentOf(steps: readonly StepRecord[]): number {
  let percent = 0
  for (const name of START_STEPS) {
    const step = steps.find((record) => record.step === name)
    if (!step) continue
    const share = step.endedMs !== undefined ? 1 : step.total ? Math.min(1, (step.done ?? 0) / step.total) : 0.3
    // Steps that a runtime skips count as done once a later one has begun.
    percent = START_STEPS.slice(0, START_STEPS.indexOf(name)).reduce((sum, earlier) => sum + WEIGHT[earlier], 0) + WEIGHT[name] * share
  }
  return Math.round(percent)
}
