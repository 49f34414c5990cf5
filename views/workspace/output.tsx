// The output of an agent: one level of folders and files, changed in place, and the preview of one file.
import { ago, fileSize, Icon } from '../components/basics.tsx'
import type { OutputLevel, OutputRow } from '../model.ts'

/** The right panel of the workbench. */
export function OutputPanel({ level }: { level: OutputLevel }) {
  return (
    <>
      <div class="bar">
        <h2>Output</h2>
        <span class="row end">
          <span class="state" data-state="running">
            <span class="dot live" data-tone="ok" />
            Live
          </span>
          <button class="button icon-only quiet small side-close" type="button" aria-label="Close output" x-data="sideToggle" {...{ 'x-on:click': 'toggle' }}>
            <Icon name="x" />
          </button>
        </span>
      </div>
      <div class="half" id="output" aria-live="off">
        <OutputList level={level} />
      </div>
      <div class="half preview" id="preview" hidden />
    </>
  )
}

/** One level; the view of the page and of every live change. */
export function OutputList({ level }: { level: OutputLevel }) {
  if (level.rows.length === 0 && level.folder === '') {
    return (
      <div class="empty">
        <span class="tile">
          <Icon name="folder-open" />
        </span>
        <h3>No files yet</h3>
        <p>What the agent saves under /workspace/output appears here at once.</p>
      </div>
    )
  }
  return (
    <>
      {level.folder === '' ? '' : <FolderPath level={level} />}
      <ul class="list" aria-label="Output files">
        <OutputRows level={level} />
      </ul>
    </>
  )
}

/** The rows of one page of a level, with the way to the next page. */
export function OutputRows({ level }: { level: OutputLevel }) {
  return (
    <>
      {level.rows.map((row) => (
        <li>{row.isFolder ? <FolderRow agentId={level.agentId} row={row} /> : <FileRow agentId={level.agentId} row={row} />}</li>
      ))}
      {level.next ? (
        <li>
          <button
            class="list-row"
            type="button"
            hx-get={`${levelUrl(level.agentId, level.folder)}&after=${encodeURIComponent(level.next)}`}
            hx-target="closest li"
            hx-swap="outerHTML"
          >
            Show more
          </button>
        </li>
      ) : (
        ''
      )}
    </>
  )
}

function FolderPath({ level }: { level: OutputLevel }) {
  const parts = level.folder.split('/')
  return (
    <nav class="toolbar dense" aria-label="Folder">
      <ol class="breadcrumbs">
        <li>
          <button type="button" class="link-button" hx-get={levelUrl(level.agentId, '')} hx-target="#output" hx-swap="innerHTML">
            output
          </button>
        </li>
        {parts.map((part, at) => (
          <li>
            <button type="button" class="link-button" hx-get={levelUrl(level.agentId, parts.slice(0, at + 1).join('/'))} hx-target="#output" hx-swap="innerHTML" safe>
              {part}
            </button>
          </li>
        ))}
      </ol>
    </nav>
  )
}

function FolderRow({ agentId, row }: { agentId: number; row: OutputRow }) {
  return (
    <button class={['list-row', row.arrived && 'arrived']} type="button" hx-get={levelUrl(agentId, row.path)} hx-target="#output" hx-swap="innerHTML">
      <Icon name="folder" />
      <span class="truncate" safe>
        {row.name}
      </span>
      <span class="meta">{`${row.fileCount} ${row.fileCount === 1 ? 'file' : 'files'}` as 'safe'}</span>
      <span class="meta" safe>
        {fileSize(row.size)}
      </span>
    </button>
  )
}

function FileRow({ agentId, row }: { agentId: number; row: OutputRow }) {
  return (
    <button
      class={['list-row', row.arrived && 'arrived']}
      type="button"
      data-path={row.path}
      hx-get={`/agents/${agentId}/output/preview?path=${encodeURIComponent(row.path)}`}
      hx-target="#preview"
      hx-swap="outerHTML"
    >
      <Icon name={fileIcon(row.name)} />
      <span class="truncate" safe>
        {row.name}
      </span>
      <span class="meta" safe>
        {fileSize(row.size)}
      </span>
      <span class="meta" safe>
        {ago(row.updatedAt)}
      </span>
    </button>
  )
}

/** What a preview shows. */
export type Preview = { kind: 'text'; text: string; cut: boolean } | { kind: 'image'; url: string } | { kind: 'other' }

/** The lower half of the panel: one file, its actions, and as much of it as can be shown. */
export function PreviewPane({ agentId, path, size, preview }: { agentId: number; path: string; size: number; preview: Preview }) {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return (
    <div class="half preview" id="preview">
      <header>
        <Icon name={fileIcon(name)} />
        <span class="truncate" title={path} safe>
          {name}
        </span>
        <span class="meta nowrap" safe>
          {fileSize(size)}
        </span>
        <span class="row tight end">
          <a class="button icon-only quiet small" href={downloadUrl(agentId, path)} download={name} aria-label={`Download ${name}`}>
            <Icon name="download" />
          </a>
          <form method="post" action={`/agents/${agentId}/output/delete`} data-confirm={`Delete “${name}” from the portal?`} data-verb="Delete file">
            <input type="hidden" name="path" value={path} />
            <button class="button icon-only quiet small" type="submit" aria-label={`Delete ${name}`}>
              <Icon name="trash-2" />
            </button>
          </form>
          <button
            class="button icon-only quiet small"
            type="button"
            aria-label="Close preview"
            hx-get={`/agents/${agentId}/output/preview`}
            hx-target="#preview"
            hx-swap="outerHTML"
          >
            <Icon name="x" />
          </button>
        </span>
      </header>
      <div class={['content', preview.kind === 'image' && 'image']}>
        <PreviewBody preview={preview} name={name} />
      </div>
    </div>
  )
}

/** Nothing is previewed. */
export function NoPreview() {
  return <div class="half preview" id="preview" hidden />
}

function PreviewBody({ preview, name }: { preview: Preview; name: string }) {
  if (preview.kind === 'image') return <img class="image-preview" src={preview.url} alt={name} />
  if (preview.kind === 'other') return <p class="hint pad">This kind of file has no preview. Download it to open it.</p>
  return (
    <>
      {preview.cut ? <p class="hint pad-label">Only the beginning is shown. Download the file to see all of it.</p> : ''}
      <pre class="text-preview" tabindex="0" role="region" aria-label={`Text of ${name}`} safe>
        {preview.text}
      </pre>
    </>
  )
}

function levelUrl(agentId: number, folder: string): string {
  return `/agents/${agentId}/output?path=${encodeURIComponent(folder)}`
}

function downloadUrl(agentId: number, path: string): string {
  return `/api/workspace/output/files/download?agent_id=${agentId}&path=${encodeURIComponent(path)}`
}

function fileIcon(name: string): string {
  if (/\.(png|jpe?g|gif|webp|svg|avif|bmp|ico)$/i.test(name)) return 'file-image'
  if (/\.(csv|tsv|xlsx?)$/i.test(name)) return 'file-spreadsheet'
  return /\.(html?|js|ts|tsx|py|go|rs|sh|css|json|sql|ya?ml)$/i.test(name) ? 'file-code' : 'file-text'
}
