// An agent on its way up, or not running: steps, reason, next step.
import { Callout } from '../components/callout.tsx'
import { Icon } from '../components/icon.tsx'
import { elapsed } from '../components/measures.ts'
import { headline } from '../components/text.ts'
import type { AgentCard, Stage, StartStepView } from '../model.ts'
import { StageAction } from './actions.tsx'

/** The steps of a start with their seconds, the bar, and the time since it began. */
export function Starting({ stage }: { stage: Extract<Stage, { kind: 'starting' }> }) {
  const now = stage.steps.find((step) => step.state === 'now')
  return (
    <div class="stack loose" id="start">
      <div class="stack">
        <div class="row">
          <h2>Starting the sandbox</h2>
          <time class="end muted" data-since={stage.startedAt} safe>
            {elapsed(new Date(stage.startedAt))}
          </time>
        </div>
        <progress class="progress" max={100} value={stage.percent} aria-label="Start progress" />
        {/* One sentence for screen readers; the list below changes too often to be read out. */}
        <p class="visually-hidden" role="status" safe>
          {now ? `${now.word}, ${stage.percent} percent` : `${stage.percent} percent`}
        </p>
      </div>
      <Steps steps={stage.steps} />
      {stage.reason ? (
        <p class="hint" safe>
          {stage.reason}
        </p>
      ) : (
        ''
      )}
      {stage.notice ? (
        <p class="hint" safe>
          {stage.notice}
        </p>
      ) : (
        ''
      )}
      <p class="hint">Usually done in a few seconds, the first time in a minute. You can leave this page; the agent starts anyway.</p>
    </div>
  )
}

const STEP_ICONS = { done: 'circle-check', now: 'loader-circle', later: 'circle', failed: 'circle-x' } as const
const STEP_WORDS = { done: 'Done', now: 'Now', later: 'Later', failed: 'Failed' } as const

function Steps({ steps }: { steps: StartStepView[] }) {
  return (
    <ol class="steps">
      {steps.map((step) => (
        <li data-step={step.state === 'later' ? 'todo' : step.state}>
          <Icon name={STEP_ICONS[step.state]} />
          <span>
            <span class="visually-hidden" safe>{`${STEP_WORDS[step.state]}: `}</span>
            <span safe>{step.word}</span>
          </span>
          <StepTime step={step} />
          {step.detail ? <small safe>{step.detail}</small> : ''}
        </li>
      ))}
    </ol>
  )
}

function StepTime({ step: { seconds, since } }: { step: StartStepView }) {
  if (since)
    return (
      <time data-since={since} safe>
        {elapsed(new Date(since))}
      </time>
    )
  return seconds ? <time safe>{seconds}</time> : <span />
}

/** A start that failed, or an agent that was stopped or sleeps. */
export function NotRunning({ card, stage }: { card: AgentCard; stage: Extract<Stage, { kind: 'failed' | 'stopped' | 'asleep' }> }) {
  if (stage.kind === 'asleep') return <Asleep card={card} />
  return stage.kind === 'failed' ? <Failed card={card} stage={stage} /> : <Stopped card={card} reason={stage.reason} />
}

function Failed({ card, stage }: { card: AgentCard; stage: Extract<Stage, { kind: 'failed' }> }) {
  const failedAt = stage.steps.findIndex((step) => step.state === 'failed')
  const { title, rest } = headline(stage.reason)
  return (
    <div class="stack loose" id="start">
      <div class="stack">
        <div class="row">
          <h2>The sandbox did not start</h2>
          {stage.seconds ? <span class="end muted num" safe>{`stopped after ${stage.seconds}`}</span> : ''}
        </div>
        <progress
          class="progress"
          data-tone="bad"
          max={stage.steps.length || 1}
          value={Math.max(0, failedAt)}
          aria-label={failedAt < 0 ? 'Not started' : `Stopped at step ${failedAt + 1} of ${stage.steps.length}`}
        />
      </div>
      <Callout tone="bad" title={title} text={rest} />
      <Steps steps={stage.steps} />
      <div class="row wrap">
        <StageAction id={card.id} verb="start" word="Try again" icon="rotate-cw" primary />
        <a class="button" href={`/agents/${card.id}/edit`}>
          <Icon name="pencil" />
          Edit agent
        </a>
      </div>
      <p class="hint">Nothing is lost: its files and its conversations are kept.</p>
    </div>
  )
}

function Asleep({ card }: { card: AgentCard }) {
  return (
    <div class="empty" id="start" data-wake="">
      <span class="tile">
        <Icon name="moon" />
      </span>
      <h2>This agent sleeps</h2>
      <p>Nothing happened here for a while, so its room was given back. Press a key to wake it: its files and its conversation are as they were.</p>
      <div class="row">
        <StageAction id={card.id} verb="start" word="Wake it" icon="play" primary />
      </div>
    </div>
  )
}

function Stopped({ card, reason }: { card: AgentCard; reason: string }) {
  return (
    <div class="empty" id="start">
      <span class="tile">
        <Icon name={card.icon} />
      </span>
      <h2>This agent is stopped</h2>
      <p safe>{reason || 'Its files and its conversation are kept. Start it to go on where it was.'}</p>
      <div class="row">
        <StageAction id={card.id} verb="start" word="Start" icon="play" primary />
        <a class="button" href={`/agents/${card.id}/edit`}>
          <Icon name="pencil" />
          Edit agent
        </a>
      </div>
    </div>
  )
}
