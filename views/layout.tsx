// The document around every page: the signed-out gate, and the app with sidebar and phone menu.
import type { Children } from '@kitajs/html'
import { AgentListView } from './agents/list.tsx'
import { Icon } from './components/basics.tsx'
import type { AgentList, PageFrame, Viewer } from './model.ts'

/** A whole document. `bodyClass` is `gate` for signed-out pages. */
export function Document({ frame, title, bodyClass, children }: { frame: PageFrame; title: string; bodyClass?: string; children: Children }) {
  return (
    <>
      {'<!doctype html>'}
      <html lang="en" data-theme={frame.theme === 'system' ? undefined : frame.theme}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content" />
          <title safe>{`${title} · SAC`}</title>
          <link rel="icon" href="data:," />
          <link rel="stylesheet" href={frame.asset('styles.css')} />
          <script nonce={frame.nonce} src={frame.asset('csp-style.js')} />
          <script type="module" src={frame.asset('app.js')} />
        </head>
        <body class={bodyClass}>{children as 'safe'}</body>
      </html>
    </>
  )
}

/** Sign-in, registration and errors: one column in the middle. */
export function Gate({ frame, title, children }: { frame: PageFrame; title: string; children: Children }) {
  return (
    <Document frame={frame} title={title} bodyClass="gate">
      <main>{children as 'safe'}</main>
      <footer>
        <span>SAC 1.0</span>
        {frame.organisation ? <span safe>{`Run by ${frame.organisation}`}</span> : ''}
      </footer>
    </Document>
  )
}

interface ShellProps {
  frame: PageFrame
  title: string
  viewer: Viewer
  list: AgentList
  section: 'workbench' | 'account' | 'agent'
  /** Right end of the phone's top bar. */
  corner?: Children
  /** Query of the page's event stream. */
  events?: string
  children: Children
}

/** The signed-in app: navigation and agents on the left, the page on the right. */
export function Shell({ frame, title, viewer, list, section, corner, events = '', children }: ShellProps) {
  return (
    <Document frame={frame} title={title}>
      <a class="button skip" href="#main">
        Skip to content
      </a>
      <div class="app">
        <header class="topbar">
          <button class="button icon-only quiet" type="button" aria-label="Menu" {...{ command: 'show-modal', commandfor: 'menu' }}>
            <Icon name="menu" />
          </button>
          <strong class="grow truncate" safe>
            {title}
          </strong>
          {corner as 'safe'}
        </header>
        <aside class="sidebar" aria-label="Navigation and agents">
          <Navigation frame={frame} viewer={viewer} list={list} section={section} place="side" />
        </aside>
        <main class="main" id="main" tabindex="-1">
          {children as 'safe'}
        </main>
      </div>
      <dialog class="drawer start sidebar" id="menu" aria-label="Menu" {...{ closedby: 'any' }}>
        <Navigation frame={frame} viewer={viewer} list={list} section={section} place="menu" />
      </dialog>
      <dialog class="dialog" id="confirm" aria-labelledby="confirm-question">
        <form method="dialog" class="stack pad">
          <p id="confirm-question" data-question />
          <div class="row">
            <button class="button end" type="submit" value="no" autofocus>
              Cancel
            </button>
            <button class="button danger solid" type="submit" value="yes">
              Go on
            </button>
          </div>
        </form>
      </dialog>
      <div class="visually-hidden" role="status" id="live" />
      <div
        id="stream"
        hidden
        hx-swap="none"
        {...{ 'hx-sse:connect': `/events${events}`, 'hx-trigger': 'load, every 5s', 'hx-status:4xx': 'swap:none', 'hx-status:5xx': 'swap:none' }}
      />
    </Document>
  )
}

function Navigation({ frame, viewer, list, section, place }: { frame: PageFrame; viewer: Viewer; list: AgentList; section: ShellProps['section']; place: 'side' | 'menu' }) {
  const menu = `account-${place}`
  return (
    <>
      <a class="brand" href="/">
        <Icon name="logo" />
        SAC <small safe>{frame.organisation}</small>
      </a>
      <nav class="nav" aria-label="Main">
        <a href="/" aria-current={section === 'workbench' ? 'page' : undefined}>
          <Icon name="square-terminal" />
          Workbench
        </a>
      </nav>
      <AgentListView list={list} place={place} />
      <button class="account" type="button" aria-label={`Account: ${viewer.displayName}`} {...{ popovertarget: menu }}>
        <span class="avatar" safe>
          {initials(viewer.displayName)}
        </span>
        <div class="truncate">
          <span safe>{viewer.displayName}</span>
          <small class="truncate" safe>
            {viewer.email}
          </small>
        </div>
        <Icon name="chevrons-up-down" small />
      </button>
      <div class="menu" id={menu} role="menu" {...{ popover: 'auto' }}>
        <a role="menuitem" href="/account">
          <Icon name="user" />
          Account
        </a>
        <hr />
        <form method="post" action="/logout">
          <button role="menuitem" type="submit">
            <Icon name="log-out" />
            Sign out
          </button>
        </form>
      </div>
    </>
  )
}

function initials(name: string): string {
  const parts = name.trim().split(/\s+/)
  return [parts[0], parts.length > 1 ? parts.at(-1) : '']
    .map((part) => [...(part ?? '')][0] ?? '')
    .join('')
    .toUpperCase()
}
