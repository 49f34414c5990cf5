// Words and pieces that the pages of rollouts share.
import { Icon } from '../components/icon.tsx'
import type { RolloutAgentView, RolloutStatusView, RolloutSummary } from './model.ts'

// Words of its own, in the icons and colours of the states of agents.
const STATUSES: Record<RolloutStatusView, { word: string; icon: string; look: string }> = {
  running: { word: 'Under way', icon: 'loader', look: 'working' },
  done: { word: 'Done', icon: 'circle-check', look: 'running' },
  stopped: { word: 'Stopped', icon: 'triangle-alert', look: 'failed' },
  canceled: { word: 'Canceled', icon: 'circle-stop', look: 'stopped' },
}

const STATES: Record<RolloutAgentView['state'], { word: string; icon: string; look: string }> = {
  queued: { word: 'Waits', icon: 'clock', look: 'stopped' },
  updating: { word: 'Restarts', icon: 'loader', look: 'working' },
  done: { word: 'Done', icon: 'circle-check', look: 'running' },
  failed: { word: 'Failed', icon: 'triangle-alert', look: 'failed' },
  skipped: { word: 'Skipped', icon: 'minus', look: 'stopped' },
}

/** How a rollout is. */
export function StatusChip({ status }: { status: RolloutStatusView }) {
  const { word, icon, look } = STATUSES[status]
  return <Word word={word} icon={icon} look={look} />
}

/** How an agent in it is. */
export function AgentChip({ agent }: { agent: RolloutAgentView }) {
  const { word, icon, look } = STATES[agent.state]
  return <Word word={agent.state === 'updating' && agent.goingBack ? 'Goes back' : word} icon={icon} look={look} />
}

function Word({ word, icon, look }: { word: string; icon: string; look: string }) {
  return (
    <span class="state" data-state={look}>
      <Icon name={icon} />
      <span safe>{word}</span>
    </span>
  )
}

/** How far it is, as a bar and in numbers. */
export function Bar({ rollout }: { rollout: RolloutSummary }) {
  const over = rollout.total - rollout.counts.queued - rollout.counts.updating
  return (
    <span class="rollout-bar">
      <progress class="progress" max={String(Math.max(1, rollout.total))} value={String(over)} aria-label="Progress" />
      <span class="hint num nowrap" safe>
        {`${over.toLocaleString('en-GB')} of ${rollout.total.toLocaleString('en-GB')}`}
      </span>
    </span>
  )
}

/** The image that agents get, in words. */
export function imageWord({ image }: { image?: string }): string {
  return image ?? 'The image of the settings'
}
