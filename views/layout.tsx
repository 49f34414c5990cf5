// The document around every page: the signed-out gate, and the app with sidebar and phone menu.
import type { Children } from '@kitajs/html'
import { Callout } from './components/callout.tsx'
import { Icon, IconButton } from './components/icon.tsx'
import { headline } from './components/text.ts'
import { ConfirmDialog, KeysDialog, Palette, Toasts } from './dialogs.tsx'
import type { AgentList, PageFrame, Viewer } from './model.ts'
import { Navigation, type Place, type Section } from './navigation.tsx'

// Read once by htmx when it loads. User content must not be able to speak to it (`data-hx-*`), and a live change leaves
// alone what belongs to the person: what is open, what is unfolded.
const HTMX = JSON.stringify({ prefix: '', includeIndicatorCSS: false, transitions: false, morphIgnore: ['data-htmx-powered', 'open', 'aria-expanded'] })

interface DocumentProps {
  frame: PageFrame
  title: string
  script: 'app.js' | 'gate.js'
  children: Children
}

/** A whole document. Only its head holds scripts: parts that htmx swaps in later could not run theirs. */
function Document({ frame, title, script, children }: DocumentProps) {
  return (
    <>
      {'<!doctype html>'}
      <html lang="en" data-theme={frame.theme === 'system' ? undefined : frame.theme}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content" />
          <meta name="color-scheme" content={frame.theme === 'system' ? 'light dark' : frame.theme} />
          <title safe>{title}</title>
          <link rel="icon" type="image/svg+xml" href={frame.asset('favicon.svg')} />
          <link rel="stylesheet" href={frame.asset('styles.css')} />
          {script === 'app.js' ? (
            <>
              <meta name="htmx-config" content={HTMX} />
              <script nonce={frame.nonce} src={frame.asset('csp-style.js')} />
            </>
          ) : (
            ''
          )}
          <script type="module" src={frame.asset(script)} />
        </head>
        {children as 'safe'}
      </html>
    </>
  )
}

/** Sign-in, registration and errors: one column in the middle. */
export function Gate({ frame, title, children }: { frame: PageFrame; title: string; children: Children }) {
  return (
    <Document frame={frame} title={`${title} · SAC`} script="gate.js">
      <body>
        <div class="gate">
          <main class="gate-main" id="main" tabindex="-1" hx-history-elt>
            {children as 'safe'}
          </main>
          <footer>
            <span>SAC 1.0</span>
            {frame.organisation ? <span safe>{`Run by ${frame.organisation}`}</span> : ''}
          </footer>
        </div>
      </body>
    </Document>
  )
}

interface BodyProps {
  frame: PageFrame
  /** What the tab is called. */
  tab: string
  title: string
  /** The left side, drawn beside the page and as the menu of phones. */
  navigation: (place: Place) => Children
  navigationLabel: string
  /** The page's own heading is hidden on phones: the top bar then holds it instead of the mark. */
  headingInTopbar?: boolean
  /** Right end of the phone's top bar; the search unless told. */
  corner?: Children
  /** Address of the page's event stream. */
  stream: string
  children: Children
}

interface ShellProps extends Pick<BodyProps, 'frame' | 'title' | 'headingInTopbar' | 'corner' | 'children'> {
  viewer: Viewer
  list: AgentList
  section: Section
  /** Query of the page's event stream. */
  events?: string
}

// Links and forms change the main part only, so that terminals live on beside it. Refused forms are handled in
// static/islands/navigation.ts.
const BOOST = { 'hx-boost:inherited': "target:#main select:#main swap:'outerHTML show:none'" }

/** The signed-in app: navigation and agents on the left, the page on the right. */
export function Shell({ viewer, list, section, events = '', ...page }: ShellProps) {
  const waiting = list.cards.filter((card) => card.state === 'needs-you').length
  return (
    <AppBody
      {...page}
      tab={`${waiting > 0 ? `(${waiting}) ` : ''}${page.title}`}
      navigation={(place) => <Navigation frame={page.frame} viewer={viewer} list={list} section={section} place={place} />}
      navigationLabel="Navigation and agents"
      stream={`/events${events}`}
    />
  )
}

/** A signed-in document: some navigation, the page, and the layers over it. */
export function AppBody({ frame, tab, title, navigation, navigationLabel, headingInTopbar, corner, stream, children }: BodyProps) {
  return (
    <Document frame={frame} title={`${tab} · SAC`} script="app.js">
      <body {...BOOST}>
        <a class="button skip" href="#main">
          Skip to content
        </a>
        <div class="app">
          <aside class="sidebar" aria-label={navigationLabel}>
            {navigation('side') as 'safe'}
          </aside>
          <main class="main" id="main" tabindex="-1" hx-history-elt>
            <header class="topbar">
              <IconButton icon="menu" label="Menu" more={{ command: 'show-modal', commandfor: 'menu' }} />
              {headingInTopbar ? (
                <h1 class="grow truncate" safe>
                  {title}
                </h1>
              ) : (
                <span class="row grow">
                  <Icon name="logo" large />
                  <strong>SAC</strong>
                </span>
              )}
              <span class="state chip when-offline" data-state="stopped">
                <Icon name="refresh-cw" />
                <span>Offline</span>
              </span>
              {(corner as 'safe') ?? <IconButton icon="search" label="Search or jump to" more={{ command: 'show-modal', commandfor: 'palette' }} />}
            </header>
            {frame.notice ? <PortalNotice text={frame.notice} /> : ''}
            {children as 'safe'}
            <EventStream address={stream} />
          </main>
        </div>
        <div id="dock" hidden />
        <dialog class="drawer start sidebar" id="menu" aria-label="Menu" closedby="any">
          {navigation('menu') as 'safe'}
        </dialog>
        <ConfirmDialog />
        <Palette />
        <KeysDialog />
        <Toasts />
        <div class="visually-hidden" role="status" id="live" />
      </body>
    </Document>
  )
}

// One stream per page. It lies inside the main part: another page brings another stream, the old one ends with its page.
function EventStream({ address }: { address: string }) {
  const attributes = {
    'hx-sse:connect': address,
    'hx-trigger': 'load, every 5s',
    'hx-config': 'sse.reconnectMaxDelay:10s',
    'hx-status:4xx': 'swap:none',
    'hx-status:5xx': 'swap:none',
  }
  return <div id="stream" hidden hx-swap="none" {...attributes} />
}

/** Mark, heading and sentence at the top of a gate page; `number` is the status of an error. */
export function GateHead({ title, text, number }: { title: string; text?: string; number?: number }) {
  return (
    <div class="gate-head">
      <Icon name="logo" />
      <div class="stack tight">
        {number ? <span class="muted num">{number}</span> : ''}
        <h1 tabindex="-1" safe>
          {title}
        </h1>
        {text ? <p safe>{text}</p> : ''}
      </div>
    </div>
  )
}

function PortalNotice({ text }: { text: string }) {
  const { title, rest } = headline(text)
  return (
    <div class="portal-notice">
      <Callout tone="bad" title={title} text={rest} />
    </div>
  )
}
