// A page of the listing as the views want it.
import type { OutputLevel } from '../../views/model.ts'
import type { OutputPage } from './listing.ts'

/** Entries on a page for people: drawn again with every change, so few enough for a slow line. */
export const SHOWN = 200

/** `arrived` holds paths that are new on an open page; a folder is new when something in it is. */
export function levelOf(agentId: number, page: OutputPage, arrived?: ReadonlySet<string>): OutputLevel {
  const paths = [...(arrived ?? [])]
  const isNew = (path: string, isFolder: boolean) => (isFolder ? paths.some((item) => item.startsWith(`${path}/`)) : (arrived?.has(path) ?? false))
  return {
    agentId,
    folder: page.folder,
    rows: page.entries.map(({ seq: _seq, ...entry }) => ({ ...entry, arrived: isNew(entry.path, entry.isFolder) })),
    next: page.next,
    totalFiles: page.totalFiles,
  }
}
