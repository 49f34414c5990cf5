// The frame of every page of the admin area.
import type { Children } from '@kitajs/html'
import { AppBody } from '../layout.tsx'
import type { PageFrame, Viewer } from '../model.ts'
import { AdminNavigation, type AdminSection } from './navigation.tsx'

interface AdminShellProps {
  frame: PageFrame
  viewer: Viewer
  title: string
  section: AdminSection
  /** Query of the page's event stream: what of the page changes by itself; nothing unless told. */
  events?: string
  /** Address of another stream that the page has instead. */
  stream?: string
  children: Children
}

/** Sections on the left, the page on the right. */
export function AdminShell({ frame, viewer, title, section, events = '', stream = `/admin/events${events}`, children }: AdminShellProps) {
  return (
    <AppBody
      frame={frame}
      tab={`${title} · Admin`}
      title={title}
      navigation={(place) => <AdminNavigation frame={frame} viewer={viewer} section={section} place={place} />}
      navigationLabel="Admin navigation"
      stream={stream}
    >
      {children as 'safe'}
    </AppBody>
  )
}
