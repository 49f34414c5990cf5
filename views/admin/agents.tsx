// Agents of everyone: a table that can be searched, filtered and sorted, and that stays true while it is open.
import { Icon, IconButton, State, stateWord } from '../components/icon.tsx'
import { ago, count } from '../components/measures.ts'
import { UsageMeter } from '../components/meter.tsx'
import { quoted } from '../components/text.ts'
import type { AgentState, PageFrame, Viewer } from '../model.ts'
import { initials } from '../navigation.tsx'
import { AdminAction } from './actions.tsx'
import { addressOf, STATE_ORDER } from './fleet-address.ts'
import { MetricsNote } from './metrics.tsx'
import type { FleetPage, FleetRow, FleetSort } from './model.ts'
import { AdminShell } from './shell.tsx'

interface AgentsProps {
  frame: PageFrame
  viewer: Viewer
  fleet: FleetPage
  /** Query of the page's event stream. */
  events: string
}

/** The page. */
export function AdminAgentsPage({ frame, viewer, fleet, events }: AgentsProps) {
  return (
    <AdminShell frame={frame} viewer={viewer} title="Agents" section="agents" events={events}>
      <section class="panel" aria-label="Agents">
        <div class="bar">
          <h1 tabindex="-1">Agents</h1>
          <Search fleet={fleet} />
          <form id="chosen" class="only-wide" method="post" action="/admin/rollouts/new">
            <button class="button small" type="submit">
              <Icon name="layers" />
              Change image
            </button>
          </form>
        </div>
        <div class="browser-pane" id="fleet">
          <FleetView fleet={fleet} />
        </div>
      </section>
    </AdminShell>
  )
}

/** The table with its filters and its pages, for `#fleet`; the same view draws the page and its live changes. */
export function FleetView({ fleet }: { fleet: FleetPage }) {
  return (
    <>
      <StateFilter fleet={fleet} />
      <MetricsNote metrics={fleet.metrics} />
      <div class="table-wrap grow">{fleet.rows.length === 0 ? <NoAgents fleet={fleet} /> : <Table fleet={fleet} />}</div>
      <Pages fleet={fleet} />
    </>
  )
}

// A form that asks by GET: what is searched for is part of the address.
function Search({ fleet: { query } }: { fleet: FleetPage }) {
  return (
    <form class="row end" method="get" action="/admin/agents" role="search">
      <div class="input-group search">
        <Icon name="search" small />
        <input class="input small" type="search" name="q" value={quoted(query.q)} maxlength={100} aria-label="Find an agent or its owner" placeholder="Agent or owner" />
      </div>
      {query.state ? <input type="hidden" name="state" value={query.state} /> : ''}
      <input type="hidden" name="sort" value={query.sort} />
      {query.descending ? <input type="hidden" name="dir" value="desc" /> : ''}
      <button class="button small" type="submit">
        Find
      </button>
    </form>
  )
}

function StateFilter({ fleet: { counts, query } }: { fleet: FleetPage }) {
  const total = Object.values(counts).reduce((sum, number) => sum + number, 0)
  const choice = (state: AgentState | undefined, word: string, number: number) => (
    <a href={quoted(addressOf({ ...query, state }))} aria-current={query.state === state ? 'true' : undefined}>
      <span safe>{word}</span>
      <span class="num muted" safe>
        {number.toLocaleString('en-GB')}
      </span>
    </a>
  )
  return (
    <nav class="toolbar dense" aria-label="Agents by state">
      <div class="segments small">
        {choice(undefined, 'All', total)}
        {STATE_ORDER.filter((state) => (counts[state] ?? 0) > 0 || query.state === state).map((state) => choice(state, stateWord(state), counts[state] ?? 0))}
      </div>
    </nav>
  )
}

const COLUMNS: { word: string; sort?: FleetSort; class?: string }[] = [
  { word: 'Agent', sort: 'name' },
  { word: 'State', sort: 'state' },
  { word: 'Owner', sort: 'owner' },
  { word: 'Image', class: 'hide-l' },
  { word: 'CPU' },
  { word: 'Memory' },
  { word: 'Restarts', class: 'num hide-l' },
  { word: 'Last active', sort: 'active', class: 'num' },
]

function Table({ fleet }: { fleet: FleetPage }) {
  return (
    <table class="table stacks">
      <thead>
        <tr>
          <th scope="col" class="fit select-cell">
            <span class="visually-hidden">Choose</span>
          </th>
          {COLUMNS.map((column) => (
            <Heading column={column} fleet={fleet} />
          ))}
          <th>
            <span class="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {fleet.rows.map((row) => (
          <Row row={row} />
        ))}
      </tbody>
    </table>
  )
}

// The newest and the most urgent come first when a column is chosen.
function Heading({ column, fleet: { query } }: { column: (typeof COLUMNS)[number]; fleet: FleetPage }) {
  const { sort } = column
  if (!sort)
    return (
      <th scope="col" class={column.class} safe>
        {column.word}
      </th>
    )
  const current = query.sort === sort
  const descending = current ? !query.descending : sort === 'active'
  return (
    <th scope="col" class={column.class} aria-sort={current ? (query.descending ? 'descending' : 'ascending') : undefined}>
      <a href={quoted(addressOf({ ...query, sort, descending }))}>
        <span safe>{column.word}</span>
        {current ? <Icon name={query.descending ? 'arrow-down' : 'arrow-up'} small /> : ''}
      </a>
    </th>
  )
}

function Row({ row }: { row: FleetRow }) {
  return (
    <tr id={`agent-${row.id}`}>
      <td class="fit select-cell">
        <input class="check" type="checkbox" name="ids" value={String(row.id)} form="chosen" aria-label={quoted(`Choose ${row.name}`)} />
      </td>
      <td class="lead">
        <span class="row">
          <Icon name={row.icon} small />
          <a class="medium truncate plain lead-name" href={`/admin/agents/${row.id}`} safe>
            {row.name}
          </a>
        </span>
      </td>
      <td data-label="State">
        <span class="row">
          <State state={row.state} />
          <span class="hint truncate line" title={quoted(row.line)} safe>
            {row.line}
          </span>
        </span>
      </td>
      <td data-label="Owner">
        <span class="row">
          <span class="avatar" aria-hidden="true" safe>
            {initials(row.owner.displayName)}
          </span>
          <span class="truncate" title={quoted(row.owner.username)} safe>
            {row.owner.displayName}
          </span>
        </span>
      </td>
      <td class={['hide-l', !row.image && 'blank']} data-label="Image">
        {row.image ? (
          <span class="mono small truncate image" title={quoted(row.image)} safe>
            {row.image.replace(/^.*\//, '')}
          </span>
        ) : (
          <span class="muted">–</span>
        )}
      </td>
      <td class={[!row.usage && 'blank']} data-label="CPU">
        {row.usage ? <UsageMeter label="CPU" percent={row.usage.cpuPercent} /> : <span class="muted">–</span>}
      </td>
      <td class={[!row.usage && 'blank']} data-label="Memory">
        {row.usage ? <UsageMeter label="Memory" percent={row.usage.memoryPercent} /> : <span class="muted">–</span>}
      </td>
      <td class="num hide-l" data-label="Restarts" safe>
        {String(row.restarts)}
      </td>
      <td class="num muted nowrap" data-label="Last active">
        {row.activeAt ? (
          <time datetime={row.activeAt.toISOString()} data-ago="" safe>
            {ago(row.activeAt)}
          </time>
        ) : (
          '–'
        )}
      </td>
      <td class="actions">
        <RowMenu row={row} />
      </td>
    </tr>
  )
}

function RowMenu({ row }: { row: FleetRow }) {
  const id = `actions-${row.id}`
  return (
    <>
      <IconButton icon="ellipsis" label={`Actions for ${row.name}`} size="tiny" more={{ popovertarget: id, 'aria-haspopup': 'menu' }} />
      <div class="menu" id={id} role="menu" aria-label={quoted(`Actions for ${row.name}`)} popover="auto">
        <a role="menuitem" href={`/admin/agents/${row.id}`}>
          <Icon name="info" />
          Details
        </a>
        <AdminAction agent={row} verb="restart" />
        {row.state === 'stopped' || row.state === 'failed' ? '' : <AdminAction agent={row} verb="stop" />}
      </div>
    </>
  )
}

function NoAgents({ fleet: { query } }: { fleet: FleetPage }) {
  const filtered = query.q !== '' || query.state !== undefined
  return (
    <div class="empty">
      <span class="tile">
        <Icon name="bot" />
      </span>
      <h2>{filtered ? 'No agent is like that' : 'No agents yet'}</h2>
      <p>{filtered ? 'Names of agents and of their owners are searched, and numbers of agents.' : 'The agents that people create are listed here with their state and use.'}</p>
      {filtered ? (
        <div class="row">
          <a class="button" href="/admin/agents">
            Show all
          </a>
        </div>
      ) : (
        ''
      )}
    </div>
  )
}

function Pages({ fleet: { rows, query, counts, before, after } }: { fleet: FleetPage }) {
  const found = query.state ? (counts[query.state] ?? 0) : Object.values(counts).reduce((sum, number) => sum + number, 0)
  const step = (way: 'before' | 'after', cursor: string | undefined, word: string, icon: string) => {
    const inner = (
      <>
        {way === 'before' ? <Icon name={icon} /> : ''}
        <span safe>{word}</span>
        {way === 'after' ? <Icon name={icon} /> : ''}
      </>
    )
    return cursor ? (
      <a class="button small" href={quoted(addressOf(query, { [way]: cursor }))} rel={way === 'after' ? 'next' : 'prev'}>
        {inner as 'safe'}
      </a>
    ) : (
      <button class="button small" type="button" disabled>
        {inner as 'safe'}
      </button>
    )
  }
  return (
    <footer class="pages">
      <span class="hint" safe>
        {found === rows.length ? count(found, 'agent') : `${rows.length} of ${count(found, 'agent')}`}
      </span>
      {before || after ? (
        <nav class="row end" aria-label="Pages">
          {step('before', before, 'Back', 'chevron-left')}
          {step('after', after, 'Next', 'chevron-right')}
        </nav>
      ) : (
        ''
      )}
    </footer>
  )
}
