// Icons of the sprite, and the states of agents as icon and word.
import type { AgentState } from '../model.ts'
import { sprite } from './sprite.ts'
import { quoted } from './text.ts'

/** An icon of the sprite, hidden from screen readers. */
export function Icon({ name, small, large, twist }: { name: string; small?: boolean; large?: boolean; twist?: boolean }) {
  return (
    <svg class={['icon', small && 'small', large && 'large', twist && 'twist']} aria-hidden="true">
      <use href={`${sprite.url}#${name}`} />
    </svg>
  )
}

const STATES: Record<AgentState, { word: string; icon: string }> = {
  starting: { word: 'Starting', icon: 'loader-circle' },
  running: { word: 'Running', icon: 'circle-check' },
  working: { word: 'Working', icon: 'loader' },
  'needs-you': { word: 'Needs you', icon: 'hand' },
  idle: { word: 'Idle', icon: 'moon' },
  stopped: { word: 'Stopped', icon: 'circle-stop' },
  failed: { word: 'Failed', icon: 'triangle-alert' },
}

/** The word of a state. */
export function stateWord(state: AgentState): string {
  return STATES[state].word
}

/** A state as icon and word; colour comes third. `id` only where a live change must find it. */
export function State({ state, chip, id }: { state: AgentState; chip?: boolean; id?: string }) {
  return (
    <span class={['state', chip && 'chip']} data-state={state} id={id}>
      <Icon name={STATES[state].icon} />
      <span safe>{STATES[state].word}</span>
    </span>
  )
}

interface IconButtonProps {
  icon: string
  /** Name for screen readers, and the tooltip. */
  label: string
  size?: 'small' | 'tiny'
  type?: 'button' | 'submit'
  class?: string
  /** Further attributes: data-*, hx-*, command, popovertarget. */
  more?: Record<string, string | undefined>
}

/** A quiet button that is only an icon, with its name as tooltip. */
export function IconButton({ icon, label, size = 'small', type = 'button', class: extra, more = {} }: IconButtonProps) {
  return (
    <button class={['button', 'icon-only', 'quiet', size, extra]} type={type} aria-label={quoted(label)} title={quoted(label)} {...more}>
      <Icon name={icon} />
    </button>
  )
}
