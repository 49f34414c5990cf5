// The workbench: the agent's terminal (or how far its start is), and its output beside it.
import { Callout, Icon, State } from '../components/basics.tsx'
import { Shell } from '../layout.tsx'
import type { AgentCard, AgentList, OutputLevel, PageFrame, Stage, StartStepView, Viewer } from '../model.ts'
import { OutputPanel } from '../workspace/output.tsx'

/** Page of one agent. */
export function WorkbenchPage({
  frame,
  viewer,
  list,
  card,
  stage,
  output,
}: {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  card: AgentCard
  stage: Stage
  output: OutputLevel
}) {
  return (
    <Shell frame={frame} title={card.name} viewer={viewer} list={list} section="workbench" events={`?agent=${card.id}`} corner={<State state={card.state} chip />}>
      <div class="workbench">
        <section class="panel" aria-label="Agent" id="stage">
          <StageView card={card} stage={stage} screenReader={viewer.screenReader} />
        </section>
        <div
          class="resizer"
          role="separator"
          aria-orientation="vertical"
          aria-label="Resize side panel"
          aria-valuemin={300}
          aria-valuenow={416}
          aria-valuemax={700}
          tabindex="0"
          x-data="sideResizer"
          {...{ 'x-on:pointerdown': 'drag', 'x-on:keydown': 'key' }}
        />
        <section class="panel side" aria-label="Output" data-open={undefined}>
          <OutputPanel level={output} />
        </section>
      </div>
    </Shell>
  )
}

/** The middle panel in any of its states. */
export function StageView({ card, stage, screenReader }: { card: AgentCard; stage: Stage; screenReader: boolean }) {
  return (
    <>
      <div class="bar" id="stage-bar">
        <StageBar card={card} stage={stage} />
      </div>
      {stage.kind === 'terminal' ? (
        <TerminalView stage={stage} card={card} screenReader={screenReader} />
      ) : (
        <div class="centre">{stage.kind === 'starting' ? <Starting stage={stage} /> : <NotRunning card={card} stage={stage} />}</div>
      )}
    </>
  )
}

/** Name, state and actions above the terminal; changes by itself while the terminal stays. */
export function StageBar({ card, stage }: { card: AgentCard; stage: Stage }) {
  return (
    <>
      <span class="tile only-wide">
        <Icon name={card.icon} />
      </span>
      <h1 class="truncate" safe>
        {card.name}
      </h1>
      <State state={card.state} chip />
      <span class="row tight end">
        {stage.kind === 'terminal' ? (
          <button class="button icon-only quiet small" type="button" aria-label="Find in terminal (Ctrl+Shift+F)" data-action="find">
            <Icon name="search" />
          </button>
        ) : (
          ''
        )}
        {stage.kind === 'starting' ? <Action id={card.id} verb="stop" word="Cancel" /> : ''}
        <button class="button icon-only quiet small side-toggle" type="button" aria-label="Output files" aria-expanded="false" x-data="sideToggle" {...{ 'x-on:click': 'toggle' }}>
          <Icon name="panel-right" />
        </button>
        <button class="button icon-only quiet small" type="button" aria-label="More actions" {...{ popovertarget: 'agent-menu' }}>
          <Icon name="ellipsis" />
        </button>
      </span>
      <div class="menu" id="agent-menu" role="menu" {...{ popover: 'auto' }}>
        <a role="menuitem" href={`/agents/${card.id}/edit`}>
          <Icon name="pencil" />
          Edit agent
        </a>
        {stage.kind === 'terminal' ? (
          <>
            <form
              method="post"
              action={`/agents/${card.id}/restart`}
              data-confirm="Restart this agent? What it does now is interrupted; files and conversation stay."
              data-verb="Restart"
            >
              <button role="menuitem" type="submit">
                <Icon name="rotate-cw" />
                Restart
              </button>
            </form>
            <form method="post" action={`/agents/${card.id}/stop`} data-confirm="Stop this agent? What it does now is interrupted; files and conversation stay." data-verb="Stop">
              <button role="menuitem" type="submit">
                <Icon name="power" />
                Stop
              </button>
            </form>
          </>
        ) : (
          ''
        )}
        <hr />
        <form
          method="post"
          action={`/agents/${card.id}/delete`}
          data-confirm={`Delete “${card.name}”? Its files, its conversations and its settings are removed for good.`}
          data-verb="Delete agent"
        >
          <button role="menuitem" type="submit" class="danger">
            <Icon name="trash-2" />
            Delete agent
          </button>
        </form>
      </div>
    </>
  )
}

function TerminalView({ stage, card, screenReader }: { stage: Extract<Stage, { kind: 'terminal' }>; card: AgentCard; screenReader: boolean }) {
  return (
    <>
      <div id="stage-notes">
        {stage.warning ? <Callout tone="warn" title="No isolation" text={stage.warning} /> : ''}
        {stage.needsRestart ? <RestartOffer id={card.id} /> : ''}
      </div>
      <x-term session={stage.sessionId} data-theme="dark" hx-morph-skip {...(screenReader ? { 'screen-reader': '' } : {})}>
        <div class="term-search" hidden role="search">
          <input class="input small" type="search" aria-label="Find in terminal" placeholder="Find" />
          <button class="button icon-only quiet small" type="button" aria-label="Close search" data-action="close-search">
            <Icon name="x" />
          </button>
        </div>
      </x-term>
      <div class="phone-input">
        <form class="compose">
          <textarea class="textarea" rows="1" aria-label="Message to the terminal" placeholder="Type here, then send" />
          <button class="button primary icon-only" type="submit" aria-label="Send">
            <Icon name="arrow-up" />
          </button>
        </form>
        <div class="keybar" role="toolbar" aria-label="Terminal keys">
          {PHONE_KEYS.map(([key, word]) => (
            <button type="button" data-key={key} aria-label={key} aria-pressed={key === 'Ctrl' ? 'false' : undefined}>
              {word}
            </button>
          ))}
        </div>
      </div>
      <div class="statusbar only-wide">
        <span>
          <span class="dot" data-term="dot" data-tone="warn" />
          <span data-term="link">Connecting</span>
        </span>
        <span data-term="size" />
        <span data-term="viewers" />
      </div>
    </>
  )
}

const PHONE_KEYS = [
  ['Esc', 'Esc'],
  ['Tab', 'Tab'],
  ['Shift Tab', '⇧Tab'],
  ['Ctrl', 'Ctrl'],
  ['Left', '←'],
  ['Up', '↑'],
  ['Down', '↓'],
  ['Right', '→'],
] as const

function RestartOffer({ id }: { id: number }) {
  return (
    <div class="callout" data-tone="accent" role="status">
      <Icon name="info" />
      <b>Some changes wait for a restart</b>
      <p>The running agent still has its earlier model settings.</p>
      <span class="actions">
        <Action id={id} verb="restart" word="Restart now" />
      </span>
    </div>
  )
}

function Starting({ stage }: { stage: Extract<Stage, { kind: 'starting' }> }) {
  return (
    <div class="stack" id="start">
      <div class="row">
        <h2>Starting the sandbox</h2>
        <time class="end muted" x-data="elapsed" data-since={stage.startedAt} />
      </div>
      <progress class="progress" max="100" value={String(stage.percent)} aria-label={`${stage.percent} percent`} />
      <Steps steps={stage.steps} />
      {stage.reason ? (
        <p class="hint" safe>
          {stage.reason}
        </p>
      ) : (
        ''
      )}
      <p class="hint">You can leave this page; the agent starts anyway.</p>
    </div>
  )
}

const STEP_ICONS = { done: 'circle-check', now: 'loader-circle', later: 'circle', failed: 'circle-x' } as const

function Steps({ steps }: { steps: StartStepView[] }) {
  return (
    <ol class="steps">
      {steps.map((step) => (
        <li data-step={step.state === 'later' ? undefined : step.state}>
          <Icon name={STEP_ICONS[step.state]} />
          <span safe>{step.word}</span>
          {step.seconds ? <time safe>{step.seconds}</time> : <span />}
          {step.detail ? <small safe>{step.detail}</small> : ''}
        </li>
      ))}
    </ol>
  )
}

function NotRunning({ card, stage }: { card: AgentCard; stage: Extract<Stage, { kind: 'failed' | 'stopped' }> }) {
  const failed = stage.kind === 'failed'
  return (
    <div class="stack" id="start">
      {failed ? <Callout tone="bad" title="The agent could not start" text={stage.reason} /> : ''}
      {failed ? <Steps steps={stage.steps} /> : ''}
      {failed ? (
        ''
      ) : (
        <div class="empty">
          <span class="tile">
            <Icon name={card.icon} />
          </span>
          <h2>This agent is stopped</h2>
          <p safe>{stage.reason || 'Its files and its conversation are kept. Start it to go on.'}</p>
        </div>
      )}
      <div class="row wrap">
        <Action id={card.id} verb="start" word={failed ? 'Try again' : 'Start'} primary />
        <a class="button" href={`/agents/${card.id}/edit`}>
          Edit agent
        </a>
      </div>
    </div>
  )
}

function Action({ id, verb, word, primary }: { id: number; verb: 'start' | 'stop' | 'restart'; word: string; primary?: boolean }) {
  return (
    <form method="post" action={`/agents/${id}/${verb}`}>
      <button class={['button', primary ? 'primary' : 'small']} type="submit" safe>
        {word}
      </button>
    </form>
  )
}

/** The workbench of somebody who has no agent yet. */
export function FirstRunPage({ frame, viewer, list }: { frame: PageFrame; viewer: Viewer; list: AgentList }) {
  return (
    <Shell frame={frame} title="Workbench" viewer={viewer} list={list} section="workbench">
      <section class="panel" aria-label="Workbench">
        <div class="centre">
          <div class="empty">
            <span class="tile">
              <Icon name="bot" />
            </span>
            <h1>{'Create your first agent' as 'safe'}</h1>
            <p>An agent is Claude Code in a sandbox of its own. It works while you are away, and what it writes to its output folder appears here at once.</p>
            <div class="row">
              <a class="button primary" href="/agents/new">
                <Icon name="plus" />
                New agent
              </a>
            </div>
          </div>
        </div>
      </section>
    </Shell>
  )
}
