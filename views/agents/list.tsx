// The agents on the left of every page; the same view draws the page and its live changes.
import { Icon, State } from '../components/basics.tsx'
import type { AgentCard, AgentList } from '../model.ts'

/** Heading, count, and one row per agent. `place` keeps ids apart: the list is there twice. */
export function AgentListView({ list, place }: { list: AgentList; place: 'side' | 'menu' }) {
  return (
    <section class="agents" aria-labelledby={`agents-${place}-h`} id={`agents-${place}`}>
      <header>
        <h2 id={`agents-${place}-h`}>Agents</h2>
        <span class="num">{`${list.cards.length} of ${list.limit}` as 'safe'}</span>
        <a class="button icon-only tiny quiet" href="/agents/new" aria-label="New agent">
          <Icon name="plus" />
        </a>
      </header>
      {list.cards.length === 0 ? (
        <p class="hint">None yet. An agent is one Claude Code in its own sandbox.</p>
      ) : (
        <ul>
          {list.cards.map((card) => (
            <AgentRow card={card} current={card.id === list.currentId} />
          ))}
        </ul>
      )}
    </section>
  )
}

function AgentRow({ card, current }: { card: AgentCard; current: boolean }) {
  return (
    <li>
      <a class="agent" href={`/agents/${card.id}`} data-state={card.state} aria-current={current ? 'page' : undefined}>
        <span class="tile">
          <Icon name={card.icon} />
        </span>
        <span class="name truncate" safe>
          {card.name}
        </span>
        <State state={card.state} />
        <span class="line truncate" safe>
          {card.line}
        </span>
        {card.usage ? (
          <span class="usage-pair">
            <Meter word="CPU" percent={card.usage.cpuPercent} label="CPU" />
            <Meter word="Mem" percent={card.usage.memoryPercent} label="Memory" />
          </span>
        ) : (
          ''
        )}
      </a>
    </li>
  )
}

function Meter({ word, percent, label }: { word: 'CPU' | 'Mem'; percent: number; label: string }) {
  const value = Math.round(percent)
  return (
    <span class="usage">
      <span>{word}</span>
      <meter class="meter" min={0} max={100} low={70} high={90} optimum={0} value={value} aria-label={`${label} ${value} %`} />
      <span>{`${value}%` as 'safe'}</span>
    </span>
  )
}
