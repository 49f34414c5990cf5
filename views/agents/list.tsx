// The agents on the left of every page; the same view draws the page and its live changes.
import { Icon, State } from '../components/icon.tsx'
import { UsageMeter } from '../components/meter.tsx'
import { quoted } from '../components/text.ts'
import type { AgentCard, AgentList } from '../model.ts'

/** Heading, count, and one row per agent. `place` keeps ids apart: the list is there twice. */
export function AgentListView({ list, place }: { list: AgentList; place: 'side' | 'menu' }) {
  const full = list.cards.length >= list.limit
  return (
    <section class="agents" aria-labelledby={`agents-${place}-h`} id={`agents-${place}`}>
      <header>
        <h2 id={`agents-${place}-h`}>Agents</h2>
        <span class="num" safe>{`${list.cards.length} of ${list.limit}`}</span>
        {full ? (
          ''
        ) : (
          <a class="button icon-only tiny quiet" href="/agents/new" aria-label="New agent" title="New agent">
            <Icon name="plus" />
          </a>
        )}
      </header>
      <p class="when-offline hint">
        <Icon name="refresh-cw" small />
        No connection to the server. Trying again.
      </p>
      {list.cards.length === 0 ? (
        <p class="hint">No agents yet. The ones you create are listed here with what they are doing.</p>
      ) : (
        <ul>
          {list.cards.map((card) => (
            <li>
              <AgentRow card={card} current={card.id === list.currentId} />
            </li>
          ))}
          {list.note ? (
            <li class="hint agents-note" safe>
              {list.note}
            </li>
          ) : (
            ''
          )}
        </ul>
      )}
    </section>
  )
}

/** One agent: icon, name, state, what it does, and what it uses. */
export function AgentRow({ card, current }: { card: AgentCard; current: boolean }) {
  return (
    <a class="agent" href={`/agents/${card.id}`} data-agent={String(card.id)} data-state={card.state} aria-current={current ? 'page' : undefined}>
      <span class="tile">
        <Icon name={card.icon} />
      </span>
      <span class="name truncate" title={quoted(card.name)} safe>
        {card.name}
      </span>
      <State state={card.state} />
      <span class="line truncate" title={quoted(card.line)} safe>
        {card.line}
      </span>
      {card.usage ? (
        <span class="usage-pair">
          <UsageMeter word="CPU" label="CPU" percent={card.usage.cpuPercent} />
          <UsageMeter word="Mem" label="Memory" percent={card.usage.memoryPercent} />
        </span>
      ) : (
        ''
      )}
    </a>
  )
}
