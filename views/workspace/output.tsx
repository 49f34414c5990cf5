// The output of an agent as a tree of folders: one level at a time, changed in place.
import { Icon } from '../components/icon.tsx'
import { ago, count, fileSize } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import type { OutputLevel, OutputRow } from '../model.ts'
import { fileIcon } from './files.ts'

export type { Preview } from '../model.ts'
export { NoPreview, PreviewPane } from './preview.tsx'

/** A whole level: the tree for the top, for `#output`; the rows alone for a folder, for its group. */
export function OutputList({ level }: { level: OutputLevel }) {
  if (level.folder !== '') return <Rows level={level} />
  if (level.rows.length === 0) return <NoOutput />
  return (
    <>
      <div class="tree" role="tree" aria-label="Output files" data-total={String(level.totalFiles)}>
        <Rows level={level} />
      </div>
      <p class="hint kept">These files are kept outside the sandbox, so you can open them while the agent does not run.</p>
    </>
  )
}

/** A further page of a level, for the list item that asked for it. */
export function OutputRows({ level }: { level: OutputLevel }) {
  return (
    <div role="none" class="more-rows">
      <Rows level={level} />
    </div>
  )
}

function NoOutput() {
  return (
    <div class="empty" data-total="0">
      <span class="tile">
        <Icon name="folder-open" />
      </span>
      <h2>No files yet</h2>
      <p>
        What the agent saves in <code>output/</code> appears here while it works. The files stay when it stops.
      </p>
    </div>
  )
}

function Rows({ level }: { level: OutputLevel }) {
  const depth = level.folder === '' ? 1 : level.folder.split('/').length + 1
  const first = level.folder === '' ? level.rows[0] : undefined
  return (
    <>
      {level.rows.map((row) => (
        <Row row={row} agentId={level.agentId} depth={depth} reachable={row === first} />
      ))}
      {level.next ? <More level={level} cursor={level.next} /> : ''}
    </>
  )
}

interface RowProps {
  row: OutputRow
  agentId: number
  depth: number
  /** The one row that Tab reaches; the arrow keys reach the others. */
  reachable: boolean
}

function Row(props: RowProps) {
  return props.row.isFolder ? <Folder {...props} /> : <File {...props} />
}

// Folders are opened by static/islands/output-tree.ts, which asks for their level and again when the version changes.
function Folder({ row, agentId, depth, reachable }: RowProps) {
  const at = row.updatedAt.getTime()
  return (
    <div {...treeItem(row, depth, reachable)} {...{ 'aria-expanded': 'false' }}>
      <div
        class={['list-row', row.arrived && 'arrived']}
        data-path={quoted(row.path)}
        data-at={String(at)}
        data-folder={levelUrl(agentId, row.path)}
        data-version={`${row.fileCount}.${row.size}.${at}`}
      >
        <Icon name="chevron-right" twist />
        <span class="folder-icons">
          <Icon name="folder" />
          <Icon name="folder-open" />
        </span>
        <span class="truncate" title={quoted(row.name)} safe>
          {row.name}
        </span>
        <span class="meta" safe>
          {count(row.fileCount, 'file')}
        </span>
        <span class="meta" safe>
          {fileSize(row.size)}
        </span>
      </div>
      <div role="group" hx-morph-skip-children />
    </div>
  )
}

function File({ row, agentId, depth, reachable }: RowProps) {
  return (
    <div {...treeItem(row, depth, reachable)}>
      <div
        class={['list-row', row.arrived && 'arrived']}
        data-path={quoted(row.path)}
        data-at={String(row.updatedAt.getTime())}
        hx-get={`/agents/${agentId}/output/preview?path=${encodeURIComponent(row.path)}`}
        hx-target="#preview"
        hx-swap="outerHTML"
      >
        <span class="leaf" />
        <Icon name={fileIcon(row.name)} />
        <span class="truncate" title={quoted(row.name)} safe>
          {row.name}
        </span>
        <span class="meta" safe>
          {fileSize(row.size)}
        </span>
        <time class="meta" datetime={row.updatedAt.toISOString()} data-ago safe>
          {ago(row.updatedAt)}
        </time>
      </div>
    </div>
  )
}

// The rows come into this item, which live changes of the level leave alone.
function More({ level, cursor }: { level: OutputLevel; cursor: string }) {
  const url = `${levelUrl(level.agentId, level.folder)}&after=${encodeURIComponent(cursor)}`
  return (
    <div role="none" id={`more-${hash(cursor)}`} data-more={url} hx-morph-skip>
      <button class="list-row more" type="button" hx-get={url} hx-target="closest [data-more]" hx-swap="innerHTML">
        <Icon name="chevron-down" />
        Show more
      </button>
    </div>
  )
}

function levelUrl(agentId: number, folder: string): string {
  return `/agents/${agentId}/output?path=${encodeURIComponent(folder)}`
}

function treeItem(row: OutputRow, depth: number, reachable: boolean) {
  return { role: 'treeitem', id: rowId(row), 'aria-level': String(depth), tabindex: reachable ? 0 : -1 }
}

// Paths hold characters that ids may not; equal paths give equal ids, so that a change finds its row.
function rowId(row: OutputRow): string {
  return `o${row.isFolder ? 'd' : 'f'}-${hash(row.path)}`
}

function hash(text: string): string {
  return Bun.hash(text).toString(36)
}
