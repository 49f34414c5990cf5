// The left side of every page, drawn twice: beside the page, and as the menu of phones.
import { AgentListView } from './agents/list.tsx'
import { Icon } from './components/icon.tsx'
import type { AgentList, PageFrame, Theme, Viewer } from './model.ts'

export type Section = 'workbench' | 'account' | 'agent'

/** Where a navigation is drawn; keeps ids apart. */
export type Place = 'side' | 'menu'

interface NavigationProps {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  section: Section
  place: Place
}

// `go` is the second key of the shortcut that begins with g.
const PAGES: { href: string; word: string; icon: string; section: Section; go: string }[] = [
  { href: '/', word: 'Workbench', icon: 'square-terminal', section: 'workbench', go: 'w' },
]

/** Brand, pages, agents and the account's menu. */
export function Navigation({ frame, viewer, list, section, place }: NavigationProps) {
  return (
    <>
      <a class="brand" href="/">
        <Icon name="logo" />
        SAC {frame.organisation ? <small safe>{frame.organisation}</small> : ''}
      </a>
      <nav class="nav" aria-label={place === 'side' ? 'Main' : 'Menu'}>
        <button type="button" aria-haspopup="dialog" command="show-modal" commandfor="palette">
          <Icon name="search" />
          Search or jump to<kbd data-mod>Ctrl K</kbd>
        </button>
        {PAGES.map((page) => (
          <a href={page.href} aria-current={section === page.section ? 'page' : undefined} data-go={page.go}>
            <Icon name={page.icon} />
            <span safe>{page.word}</span>
          </a>
        ))}
        {viewer.role === 'admin' ? (
          // A whole page load: the admin area has a left side of its own.
          <a href="/admin" data-go="a" hx-boost="false">
            <Icon name="shield" />
            <span>Admin</span>
          </a>
        ) : (
          ''
        )}
      </nav>
      <AgentListView list={list} place={place} />
      <AccountMenu viewer={viewer} id={`account-${place}`} />
    </>
  )
}

/** Who is signed in, with the menu of the account; `leaves` where the account's page has another left side. */
export function AccountMenu({ viewer, id, leaves = false }: { viewer: Viewer; id: string; leaves?: boolean }) {
  return (
    <>
      <button class="account" type="button" aria-haspopup="menu" popovertarget={id}>
        <span class="avatar" aria-hidden="true" safe>
          {initials(viewer.displayName)}
        </span>
        <div class="truncate">
          <span class="visually-hidden">Account: </span>
          <span safe>{viewer.displayName}</span>
          <small class="truncate" safe>
            {viewer.email}
          </small>
        </div>
        <Icon name="chevrons-up-down" small />
      </button>
      <div class="menu" id={id} role="menu" aria-label="Account" popover="auto">
        <a role="menuitem" href="/account" data-go="u" hx-boost={leaves ? 'false' : undefined}>
          <Icon name="user" />
          Account
        </a>
        <ThemeSwitch viewer={viewer} />
        <button role="menuitem" type="button" command="show-modal" commandfor="keys">
          <Icon name="keyboard" />
          Keyboard shortcuts<kbd>?</kbd>
        </button>
        <hr />
        <form method="post" action="/logout" hx-boost="false" role="none">
          <button role="menuitem" type="submit">
            <Icon name="log-out" />
            Sign out
          </button>
        </form>
      </div>
    </>
  )
}

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' }
const THEME_ICONS: Record<Theme, string> = { system: 'sliders-horizontal', light: 'sun', dark: 'moon' }

/** Words of the themes. */
export const THEME_WORDS: Record<Theme, string> = { system: 'System', light: 'Light', dark: 'Dark' }

// Without scripts the form goes to the account page; with them the page changes in place.
function ThemeSwitch({ viewer }: { viewer: Viewer }) {
  return (
    <form method="post" action="/account/preferences" hx-boost="false" role="none" data-theme-switch={viewer.theme}>
      <input type="hidden" name="theme" value={NEXT[viewer.theme]} />
      {viewer.screenReader ? <input type="hidden" name="screen_reader" value="1" /> : ''}
      <button role="menuitem" type="submit">
        <Icon name={THEME_ICONS[viewer.theme]} />
        Theme
        <span class="end muted" data-theme-word safe>
          {THEME_WORDS[viewer.theme]}
        </span>
      </button>
    </form>
  )
}

/** "MK" of "Mira Kessler"; whole characters, also outside the Latin script. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/)
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words
  return ends
    .map((word) => [...new Intl.Segmenter().segment(word ?? '')][0]?.segment ?? '')
    .join('')
    .toUpperCase()
}
