// The workbench of somebody who has no agent yet: what will be where, and the one thing to do.
import { TextField } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { quoted } from '../components/text.ts'
import { Shell } from '../layout.tsx'
import type { AgentFormModel, AgentList, PageFrame, Viewer } from '../model.ts'

interface FirstRunProps {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  /** What a new agent has by default. */
  form: AgentFormModel
}

/** First page after the first sign-in. */
export function FirstRunPage({ frame, viewer, list, form }: FirstRunProps) {
  return (
    <Shell frame={frame} title="Workbench" viewer={viewer} list={list} section="workbench">
      <section class="panel" aria-label="First steps">
        <div class="page">
          <div class="page-inner narrow">
            <header class="page-head">
              <div>
                <h1 tabindex="-1">Create your first agent</h1>
                <p>An agent is Claude Code in a sandbox of its own. It keeps its files and its conversations, and it goes on working after you close the tab.</p>
              </div>
            </header>
            <ul class="soft stack only-narrow">
              <li>
                <b>Your agents</b> are in the menu, with their state.
              </li>
              <li>
                <b>The terminal</b> is where you say what you need.
              </li>
              <li>
                <b>What it makes</b> arrives live in the panel on the right.
              </li>
            </ul>
            <Picture />
            <ShortForm form={form} />
          </div>
        </div>
      </section>
    </Shell>
  )
}

const STARTS: [icon: string, word: string, about: string, instructions: string][] = [
  ['square-terminal', 'Blank', 'No instructions; you say everything', ''],
  [
    'chart-column',
    'Analyse data',
    'CSV and Excel in, charts out',
    'Look at the data before you answer: columns, types, gaps. Say what you left out and why. Put tables as CSV and charts as PNG into output/.',
  ],
  [
    'code',
    'Write code',
    'Tests first, small steps',
    'Write a failing test first, then the code. Keep changes small. Run the tests before you say that it works. Put what I asked for into output/.',
  ],
  [
    'file-text',
    'Draft documents',
    'For a reader, with sources',
    'Ask for the reader and the purpose when they are not clear. Write short sentences and name your sources. Put drafts as Markdown into output/.',
  ],
]
const HIDDEN = ['provider', 'anthropic_base_url', 'anthropic_haiku_model', 'anthropic_sonnet_model', 'anthropic_opus_model'] as const

// The fields that nobody can fill for the person; the rest has a good default. A refusal comes as the whole form.
function ShortForm({ form: { values, presets, requestKey } }: { form: AgentFormModel }) {
  const preset = presets.find((item) => item.id === values.provider)
  return (
    <form class="stack loose" method="post" action="/agents" novalidate>
      {requestKey === undefined ? '' : <input type="hidden" name="request_key" value={requestKey} />}
      {HIDDEN.map((name) => (
        <input type="hidden" name={name} value={quoted(values[name])} />
      ))}
      <TextField name="name" label="What should it be called?" placeholder="For example: Quarterly report" required maxlength={100} autocomplete="off" />
      <fieldset class="field">
        <legend class="label">Start from</legend>
        <div class="choices pairs">
          {STARTS.map(([icon, word, about, instructions]) => (
            <label class="choice">
              <input type="radio" name="instructions" value={quoted(instructions)} checked={instructions === ''} />
              <Icon name={icon} />
              <b safe>{word}</b>
              <small safe>{about}</small>
            </label>
          ))}
        </div>
      </fieldset>
      <TextField
        name="anthropic_auth_token"
        label={`${preset?.name ?? 'API'} key`}
        type="password"
        autocomplete="off"
        mono
        hint="Stored encrypted and never shown again. Without a key the agent starts, but cannot ask its model. Other providers are under all options."
      >
        {preset?.keyUrl ? (
          <span class="hint">
            <a href={preset.keyUrl} target="_blank" rel="noopener noreferrer">
              Where to get a key
            </a>
          </span>
        ) : (
          ''
        )}
      </TextField>
      <div class="row wrap">
        <button class="button primary" type="submit">
          <Icon name="play" />
          Create and start
        </button>
        <a class="button quiet" href="/agents/new">
          All options
        </a>
        <span class="hint end only-wide">Ready in a few seconds</span>
      </div>
    </form>
  )
}

function Picture() {
  return (
    <figure class="stack tight only-wide">
      <svg class="chart" viewBox="0 0 640 196" role="img" aria-label="The workbench: agents on the left, the terminal in the middle, files on the right">
        <rect class="frame" x="0.5" y=".5" width="149" height="139" rx="8" />
        <rect class="frame" x="162.5" y=".5" width="299" height="139" rx="8" />
        <rect class="frame" x="474.5" y=".5" width="165" height="139" rx="8" />
        <g class="ghost">
          <circle cx="18" cy="22" r="5" />
          <rect x="32" y="18" width="74" height="7" rx="3" />
          <circle cx="18" cy="46" r="5" />
          <rect x="32" y="42" width="58" height="7" rx="3" />
          <circle cx="18" cy="70" r="5" />
          <rect x="32" y="66" width="66" height="7" rx="3" />
          <rect x="180" y="44" width="150" height="7" rx="3" />
          <rect x="180" y="60" width="196" height="7" rx="3" />
          <rect x="180" y="76" width="110" height="7" rx="3" />
          <rect x="490" y="18" width="84" height="7" rx="3" />
          <rect x="490" y="66" width="66" height="7" rx="3" />
          <rect x="490" y="90" width="96" height="7" rx="3" />
        </g>
        <path class="line" d="m180 18 5 4-5 4" />
        <rect class="bar" x="192" y="18" width="128" height="8" rx="3" />
        <rect class="area" x="480" y="34" width="154" height="22" rx="4" />
        <rect class="bar" x="490" y="41" width="104" height="8" rx="3" />
        <path class="line" d="m180 112 5 4-5 4" />
        <g class="caption">
          <text x="0" y="162" class="strong">
            Your agents
          </text>
          <text x="0" y="179">
            live, with their state
          </text>
          <text x="162" y="162" class="strong">
            The terminal
          </text>
          <text x="162" y="179">
            say what you need, answer when asked
          </text>
          <text x="474" y="162" class="strong">
            What it makes
          </text>
          <text x="474" y="179">
            files arrive live
          </text>
        </g>
      </svg>
    </figure>
  )
}
