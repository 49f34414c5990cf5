// What changes by itself: whether the page is live, the agents' states in title and notes, and the phone's top bar.
import { onHtmx } from './htmx.ts'
import { find, findAll } from './page.ts'
import { toast } from './toasts.ts'

const OFFLINE_AFTER_MS = 3000

let connected = false
let offlineTimer = 0
let states = new Map<string, string>()

/** Follows the event stream and what it changes. */
export function initLive(): void {
  states = readStates()
  onHtmx('htmx:sse:after:connection', () => setConnected(true))
  onHtmx('htmx:sse:error', () => setConnected(false))
  onHtmx('htmx:sse:close', () => setConnected(false))
  onHtmx('htmx:after:swap', refresh)
}

function setConnected(now: boolean): void {
  connected = now
  showLive()
  clearTimeout(offlineTimer)
  if (now) showOffline(false)
  else offlineTimer = window.setTimeout(() => showOffline(!document.hidden), OFFLINE_AFTER_MS)
}

// A line that is back within seconds, or a tab that nobody looks at, is no news.
function showOffline(offline: boolean): void {
  const { documentElement: root } = document
  if (root.hasAttribute('data-offline') === offline) return
  root.toggleAttribute('data-offline', offline)
  const live = find('#live')
  if (live) live.textContent = offline ? 'No connection to the server. Trying again.' : 'Connected again.'
}

function refresh(): void {
  noteChanges()
  showLive()
  copyState()
}

// "Live" while files can arrive, "Waiting" while the agent does not run, "Offline" when the page hears nothing.
function showLive(): void {
  const place = find('[data-live]')
  if (!place) return
  const runs = find('.terminal-slot') !== null
  const word = !connected ? 'Offline' : runs ? 'Live' : 'Waiting'
  const [dot, text] = place.children
  if (!(dot instanceof HTMLElement) || !(text instanceof HTMLElement) || text.textContent === word) return
  place.dataset.state = word === 'Live' ? 'running' : 'stopped'
  dot.className = word === 'Live' ? 'dot live' : 'dot hollow'
  if (word === 'Live') dot.dataset.tone = 'ok'
  else delete dot.dataset.tone
  text.textContent = word
}

function readStates(): Map<string, string> {
  return new Map(findAll('#agents-side .agent').map((row) => [row.dataset.agent ?? '', row.dataset.state ?? '']))
}

// The title counts agents that need somebody; a note tells of those that are not on the page.
function noteChanges(): void {
  const now = readStates()
  const waiting = [...now.values()].filter((state) => state === 'needs-you').length
  const title = document.title.replace(/^\(\d+\) /, '')
  const counted = waiting > 0 ? `(${waiting}) ${title}` : title
  if (document.title !== counted) document.title = counted
  for (const [id, state] of now) {
    const before = states.get(id)
    if (before !== undefined && before !== state) noteChange(id, state)
  }
  states = now
}

function noteChange(id: string, state: string): void {
  const row = find<HTMLAnchorElement>(`#agents-side .agent[data-agent="${CSS.escape(id)}"]`)
  if (!row || row.hasAttribute('aria-current')) return
  const name = row.querySelector('.name')?.textContent ?? ''
  const text = row.querySelector('.line')?.textContent ?? ''
  const action = { word: 'Open', href: row.pathname }
  if (state === 'needs-you') toast({ tone: 'warn', icon: 'hand', title: `${name} needs you`, text, action })
  if (state === 'failed') toast({ tone: 'bad', title: `${name} has failed`, text, action })
}

function copyState(): void {
  const from = find('#stage-bar .state.chip')
  const to = find('#topbar-state')
  if (!from || !to || to.dataset.state === from.dataset.state) return
  to.dataset.state = from.dataset.state
  to.replaceChildren(...[...from.childNodes].map((node) => node.cloneNode(true)))
}
