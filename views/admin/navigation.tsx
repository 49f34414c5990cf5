// The left side of the admin area: its sections, and the way back.
import { Icon } from '../components/icon.tsx'
import type { PageFrame, Viewer } from '../model.ts'
import { AccountMenu, type Place } from '../navigation.tsx'

/** Where in the admin area a page is. */
export type AdminSection = 'agents' | 'rollouts' | 'settings'

// The sections that there are. `go` is the second key of the shortcut that begins with g.
const SECTIONS: { section: AdminSection; href: string; word: string; icon: string; go: string }[] = [
  { section: 'agents', href: '/admin/agents', word: 'Agents', icon: 'bot', go: 'a' },
  { section: 'rollouts', href: '/admin/rollouts', word: 'Images', icon: 'layers', go: 'i' },
  { section: 'settings', href: '/admin/settings', word: 'Settings', icon: 'settings', go: 't' },
]

/** Brand, way back, sections and the account's menu. */
export function AdminNavigation({ frame, viewer, section, place }: { frame: PageFrame; viewer: Viewer; section: AdminSection; place: Place }) {
  return (
    <>
      <a class="brand" href="/admin">
        <Icon name="logo" />
        SAC <small>Admin</small>
      </a>
      <nav class="nav" aria-label="Leave admin">
        {/* A whole page load: the workbench has a left side of its own. */}
        <a href="/" data-go="w" hx-boost="false">
          <Icon name="arrow-left" />
          Back to workbench
        </a>
      </nav>
      <nav class="nav" aria-label={place === 'side' ? 'Admin' : 'Menu'}>
        {frame.organisation ? (
          <span class="heading" safe>
            {frame.organisation}
          </span>
        ) : (
          ''
        )}
        {SECTIONS.map((page) => (
          <a href={page.href} aria-current={section === page.section ? 'page' : undefined} data-go={page.go}>
            <Icon name={page.icon} />
            <span safe>{page.word}</span>
          </a>
        ))}
      </nav>
      <AccountMenu viewer={viewer} id={`account-${place}`} leaves />
    </>
  )
}
