// The middle of the workbench in each of its states. The parts with an id are what the event stream changes.
import { Callout } from '../components/callout.tsx'
import { Icon, IconButton, State } from '../components/icon.tsx'
import { headline, quoted } from '../components/text.ts'
import type { AgentCard, Stage } from '../model.ts'
import { AgentMenu, StageAction } from './actions.tsx'
import { NotRunning, Starting } from './start.tsx'

interface StageProps {
  card: AgentCard
  stage: Stage
}

/** What tells one stage from another: the page says by it what it shows, so that only another one is sent. */
export function stageMark(stage: Stage): string {
  return stage.kind === 'terminal' ? stage.sessionId : stage.kind
}

/** The whole panel, for `#stage`. Swap it only when its kind or its session changes: that moves the terminal. */
export function StageView({ card, stage, screenReader }: StageProps & { screenReader: boolean }) {
  return (
    <>
      <div class="bar only-wide" id="stage-bar">
        <StageBar card={card} stage={stage} />
      </div>
      <AgentMenu card={card} stage={stage} />
      {stage.kind === 'terminal' ? (
        <TerminalView stage={stage} card={card} screenReader={screenReader} />
      ) : (
        <div class="centre">{stage.kind === 'starting' ? <Starting stage={stage} /> : <NotRunning card={card} stage={stage} />}</div>
      )}
    </>
  )
}

/** The first sentence says what is the matter. */
function Warning({ text }: { text: string }) {
  const { title, rest } = headline(text)
  return <Callout tone="warn" title={title} text={rest} />
}

function Notice({ text }: { text: string }) {
  const { title, rest } = headline(text)
  return <Callout tone="accent" title={title} text={rest} />
}

/** Name, state and actions above the terminal, for `#stage-bar`; may change at any time. */
export function StageBar({ card, stage }: StageProps) {
  return (
    <>
      <span class="tile">
        <Icon name={card.icon} />
      </span>
      <h1 class="truncate" tabindex="-1" title={quoted(card.name)} safe>
        {card.name}
      </h1>
      <State state={card.state} chip />
      <span class="row tight end">
        {stage.kind === 'terminal' ? <TerminalTools stage={stage} /> : ''}
        {stage.kind === 'starting' ? <StageAction id={card.id} verb="stop" word="Cancel" small /> : ''}
        <IconButton icon="panel-right" label="Output" class="side-toggle" more={{ 'data-side': 'open' }} />
        <IconButton icon="ellipsis" label="Agent actions" more={{ popovertarget: 'agent-menu', 'aria-haspopup': 'menu' }} />
      </span>
    </>
  )
}

function TerminalTools({ stage }: { stage: Extract<Stage, { kind: 'terminal' }> }) {
  return (
    <>
      {stage.model ? (
        <>
          <span class="badge outline" safe>
            {stage.model}
          </span>
          <span class="divider" />
        </>
      ) : (
        ''
      )}
      <IconButton icon="search" label="Find in terminal (Ctrl+Shift+F)" more={{ 'data-terminal': 'find' }} />
    </>
  )
}

/** Warnings and offers above the terminal, for `#stage-notes`; empty when there is nothing to say. */
export function StageNotes({ card, stage }: StageProps) {
  if (stage.kind !== 'terminal') return ''
  return (
    <>
      {stage.warning ? <Warning text={stage.warning} /> : ''}
      {stage.notice ? <Notice text={stage.notice} /> : ''}
      {stage.needsRestart || stage.newImage ? (
        <Callout
          tone="accent"
          title={stage.needsRestart ? 'Saved changes wait for a restart' : 'A new image waits for a restart'}
          text={
            stage.newImage
              ? `It starts with ${stage.newImage} then. Files and conversation stay.`
              : 'The running agent still has its earlier settings. Files and conversation stay.'
          }
        >
          <StageAction id={card.id} verb="restart" word="Restart now" small />
        </Callout>
      ) : (
        ''
      )}
    </>
  )
}

// The terminal itself is put into the slot by static/islands/dock.ts, which keeps it when the page changes.
function TerminalView({ stage, card, screenReader }: StageProps & { stage: Extract<Stage, { kind: 'terminal' }>; screenReader: boolean }) {
  return (
    <>
      <div class="stage-notes" id="stage-notes">
        <StageNotes card={card} stage={stage} />
      </div>
      <div class="terminal-slot" data-theme={stage.theme ?? 'dark'} data-session={stage.sessionId} data-name={quoted(card.name)} data-screen-reader={screenReader ? '' : undefined}>
        <noscript>
          <p class="hint pad">The terminal needs JavaScript. Everything else works without it.</p>
        </noscript>
      </div>
      <PhoneInput />
      <StatusBar readyAt={stage.readyAt} />
    </>
  )
}

const PHONE_KEYS: [key: string, word: string][] = [
  ['Esc', 'Esc'],
  ['Tab', 'Tab'],
  ['Shift Tab', '⇧Tab'],
  ['Ctrl', 'Ctrl'],
  ['Left', '←'],
  ['Up', '↑'],
  ['Down', '↓'],
  ['Right', '→'],
]

function PhoneInput() {
  return (
    <div class="phone-input">
      <form class="compose" hx-boost="false">
        <textarea class="textarea" rows="1" aria-label="Message to the terminal" placeholder="Type here, then send" autocapitalize="off" />
        <button class="button primary icon-only" type="submit" aria-label="Send" title="Send">
          <Icon name="arrow-up" />
        </button>
      </form>
      <div class="keybar" role="toolbar" aria-label="Terminal keys">
        {PHONE_KEYS.map(([key, word]) => (
          <button type="button" data-key={key} aria-label={key} aria-pressed={key === 'Ctrl' ? 'false' : undefined} safe>
            {word}
          </button>
        ))}
      </div>
    </div>
  )
}

function StatusBar({ readyAt }: { readyAt?: string }) {
  return (
    <div class="statusbar only-wide">
      <span>
        <span class="dot" data-term="dot" data-tone="warn" />
        <span data-term="link">Connecting</span>
      </span>
      <span data-term="latency" title="From a key to its echo" />
      <span data-term="size" title="Columns and rows" />
      <span data-term="viewers" title="Open tabs that show this terminal" hidden>
        <Icon name="eye" small />
        <span data-term-word />
      </span>
      <span class="end">
        <IconButton icon="minus" label="Smaller text" size="tiny" more={{ 'data-terminal': 'smaller' }} />
        <span data-term="font" title="Size of the text" />
        <IconButton icon="plus" label="Larger text" size="tiny" more={{ 'data-terminal': 'larger' }} />
      </span>
      {readyAt ? (
        <span>
          <Icon name="timer" small />
          <span>
            Up <time datetime={readyAt} data-up={readyAt} />
          </span>
        </span>
      ) : (
        ''
      )}
    </div>
  )
}
