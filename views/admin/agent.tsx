// One agent for an admin: what runs, what its owner was told, what the system itself said, and its last starts.
import { Callout } from '../components/callout.tsx'
import { Icon, State } from '../components/icon.tsx'
import { day, fileSize } from '../components/measures.ts'
import { UsageMeter } from '../components/meter.tsx'
import { quoted } from '../components/text.ts'
import type { PageFrame, Viewer } from '../model.ts'
import { AdminButtons } from './actions.tsx'
import { metricsWords } from './metrics.tsx'
import type { AgentDetailView, EventView, StartView } from './model.ts'
import { AdminShell } from './shell.tsx'

interface AgentProps {
  frame: PageFrame
  viewer: Viewer
  agent: AgentDetailView
  /** Query of the page's event stream. */
  events: string
}

/** The page. */
export function AdminAgentPage({ frame, viewer, agent, events }: AgentProps) {
  return (
    <AdminShell frame={frame} viewer={viewer} title={agent.name} section="agents" events={events}>
      <section class="panel" aria-label="Agent">
        <div class="page">
          <div class="page-inner">
            <header class="page-head">
              <div>
                <a class="back" href="/admin/agents">
                  <Icon name="arrow-left" small />
                  Agents
                </a>
                <h1 class="anywhere" tabindex="-1" safe>
                  {agent.name}
                </h1>
                <p safe>{`Agent ${agent.id} of ${agent.owner.displayName} (${agent.owner.username}), since ${day(agent.createdAt)}`}</p>
              </div>
            </header>
            <div class="stack loose" id="agent-now">
              <AgentNow agent={agent} />
            </div>
            <section class="section" aria-labelledby="actions-h">
              <header>
                <h2 id="actions-h">Actions</h2>
                <p>Its owner sees that an admin did it, and the words that you add. Files and conversation stay.</p>
              </header>
              <AdminButtons agent={agent} />
            </section>
            <div class="stack loose" id="agent-past">
              <AgentPast agent={agent} />
            </div>
          </div>
        </div>
      </section>
    </AdminShell>
  )
}

/** State and use, for `#agent-now`. */
export function AgentNow({ agent }: { agent: AgentDetailView }) {
  return (
    <>
      {agent.reason ? <Callout tone={agent.state === 'failed' ? 'bad' : 'warn'} title="What its owner sees" text={agent.reason} /> : ''}
      {agent.warning ? <Callout tone="warn" title="Warning above its terminal" text={agent.warning} /> : ''}
      {agent.notice ? <Callout tone="accent" title="Note above its terminal" text={agent.notice} /> : ''}
      <section class="card" aria-label="Now">
        <div class="body">
          <dl class="facts">
            <dt>State</dt>
            <dd>
              <State state={agent.state} />
            </dd>
            <dt>Start</dt>
            <dd safe>{agent.generation === 0 ? 'Never started' : `Number ${agent.generation}`}</dd>
            {agent.readyAt && agent.state !== 'stopped' && agent.state !== 'failed' ? (
              <>
                <dt>Up</dt>
                <dd>
                  <time datetime={agent.readyAt.toISOString()} data-up={agent.readyAt.toISOString()} />
                </dd>
              </>
            ) : (
              ''
            )}
            <Fact word="Image" value={agent.image} mono />
            <Fact word="Node" value={agent.node} mono />
            <dt>Restarts</dt>
            <dd safe>{agent.restarts === 0 ? 'None' : `Came back by itself ${agent.restarts} ${agent.restarts === 1 ? 'time' : 'times'} since its start and in the last day`}</dd>
            <Use agent={agent} />
          </dl>
        </div>
      </section>
    </>
  )
}

function Fact({ word, value, mono }: { word: string; value?: string; mono?: boolean }) {
  if (!value) return ''
  return (
    <>
      <dt safe>{word}</dt>
      <dd class={['anywhere', mono && 'mono']} safe>
        {value}
      </dd>
    </>
  )
}

// No metrics, no metrics yet, and an agent that does not run are three things.
function Use({ agent }: { agent: AgentDetailView }) {
  const { usage, memoryBytes, metrics, metricsEvidence } = agent
  if (usage)
    return (
      <>
        <dt>CPU</dt>
        <dd>
          <UsageMeter label="CPU" percent={usage.cpuPercent} />
        </dd>
        <dt>Memory</dt>
        <dd class="row">
          <UsageMeter label="Memory" percent={usage.memoryPercent} />
          {memoryBytes === undefined ? (
            ''
          ) : (
            <span class="hint" safe>
              {fileSize(memoryBytes)}
            </span>
          )}
        </dd>
      </>
    )
  const runs = !['stopped', 'failed', 'starting'].includes(agent.state)
  if (!runs) return ''
  const words = metricsWords(metrics)
  return (
    <>
      <dt>Use</dt>
      <dd>
        {words ? <span safe>{`${words.title}. ${words.text}`}</span> : <span>Not measured yet. A new sandbox shows up within a minute.</span>}
        {metricsEvidence ? <Evidence text={metricsEvidence} /> : ''}
      </dd>
    </>
  )
}

/** Events and starts, for `#agent-past`. */
export function AgentPast({ agent }: { agent: AgentDetailView }) {
  return (
    <>
      <section class="section" aria-labelledby="events-h">
        <header>
          <h2 id="events-h">Events</h2>
          <p>What the system reports about its sandbox, newest first, in its own words.</p>
        </header>
        {agent.events.length === 0 ? (
          <p class="hint">Nothing is reported at the moment. A cluster forgets its events after about an hour; the starts below keep what mattered.</p>
        ) : (
          <Events events={agent.events} />
        )}
      </section>
      <section class="section" aria-labelledby="starts-h">
        <header>
          <h2 id="starts-h">Last starts</h2>
          <p>The twenty newest, with the words that its owner saw and what they were read from.</p>
        </header>
        {agent.starts.length === 0 ? <p class="hint">It was not started yet.</p> : <Starts starts={agent.starts} />}
      </section>
    </>
  )
}

function Events({ events }: { events: EventView[] }) {
  return (
    <div class="card table-wrap">
      <table class="table stacks">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Of</th>
            <th scope="col">Event</th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr>
              <td class="lead nowrap">
                <Moment at={event.at} />
              </td>
              <td data-label="Of" safe>
                {event.kind}
              </td>
              <td data-label="Event">
                <span class="row tight">
                  <span class="badge" data-tone={event.isWarning ? 'warn' : undefined} safe>
                    {event.reason || 'Event'}
                  </span>
                  {event.count > 1 ? <span class="hint num" safe>{`× ${event.count}`}</span> : ''}
                </span>
              </td>
              <td data-label="Message">
                <span class="mono small anywhere" safe>
                  {event.message}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const OUTCOMES: Record<StartView['outcome'], { word: string; tone?: 'ok' | 'bad' | 'warn' | 'accent' }> = {
  starting: { word: 'Starting', tone: 'accent' },
  ready: { word: 'Came up', tone: 'ok' },
  failed: { word: 'Failed', tone: 'bad' },
  ended: { word: 'Ended by itself', tone: 'warn' },
  'given-up': { word: 'Given up' },
}

function Starts({ starts }: { starts: StartView[] }) {
  return (
    <ol class="card starts">
      {starts.map((start) => (
        <li>
          <span class="row wrap">
            <Moment at={start.startedAt} />
            <span class="badge" data-tone={OUTCOMES[start.outcome].tone} safe>
              {OUTCOMES[start.outcome].word}
            </span>
            <span class="hint num" safe>
              {[start.generation && `number ${start.generation}`, start.seconds !== undefined && `${start.seconds.toFixed(1)} s`].filter(Boolean).join(', ')}
            </span>
          </span>
          {start.cause ? <p safe>{`Came back by itself: ${start.cause}`}</p> : ''}
          {start.reason ? <p safe>{start.reason}</p> : ''}
          {start.evidence ? <Evidence text={start.evidence} /> : ''}
        </li>
      ))}
    </ol>
  )
}

function Evidence({ text }: { text: string }) {
  return (
    <code class="evidence" title={quoted('The system’s own words')} safe>
      {text}
    </code>
  )
}

function Moment({ at }: { at: Date }) {
  return (
    <time class="num" datetime={at.toISOString()} safe>
      {`${day(at)}, ${at.toISOString().slice(11, 19)}`}
    </time>
  )
}
