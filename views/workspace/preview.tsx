// The lower half of the output panel: one file, its actions, and as much of it as can be shown.
import { Icon, IconButton } from '../components/icon.tsx'
import { fileSize } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import type { Preview } from '../model.ts'
import { fileIcon, fileKind } from './files.ts'

interface PreviewProps {
  agentId: number
  path: string
  /** Bytes. */
  size: number
  preview: Preview
}

/** Preview of one file, for `#preview`. */
export function PreviewPane({ agentId, path, size, preview }: PreviewProps) {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return (
    <section class="half preview" id="preview" data-path={quoted(path)} aria-label={quoted(`Preview of ${name}`)}>
      <header>
        <Icon name={fileIcon(name)} />
        <span class="truncate" title={quoted(path)} safe>
          {name}
        </span>
        <span class="meta nowrap" data-dimensions safe>
          {fileSize(size)}
        </span>
        <span class="row tight end">
          {preview.kind === 'image' ? (
            <a
              class="button icon-only quiet small"
              href={quoted(preview.url)}
              target="_blank"
              rel="noopener noreferrer"
              aria-label={quoted(`Open ${name} large`)}
              title="Open large"
            >
              <Icon name="maximize-2" />
            </a>
          ) : (
            ''
          )}
          <a class="button icon-only quiet small" href={downloadUrl(agentId, path)} download={quoted(name)} aria-label={quoted(`Download ${name}`)} title="Download">
            <Icon name="download" />
          </a>
          <DeleteForm agentId={agentId} path={path} name={name} />
          <IconButton icon="x" label="Close preview" more={{ 'data-preview': 'close' }} />
        </span>
      </header>
      <div class={['content', preview.kind === 'image' && 'image']}>
        <Body agentId={agentId} path={path} name={name} size={size} preview={preview} />
      </div>
    </section>
  )
}

/** Nothing is previewed. */
export function NoPreview() {
  return <section class="half preview" id="preview" aria-label="Preview" hidden />
}

// The answer is the whole workbench; only its empty preview is taken, the row goes with the event that follows.
function DeleteForm({ agentId, path, name }: { agentId: number; path: string; name: string }) {
  const url = `/agents/${agentId}/output/delete`
  return (
    <form
      method="post"
      action={url}
      hx-post={url}
      hx-target="#preview"
      hx-select="#preview"
      hx-swap="outerHTML"
      data-confirm={quoted(`Delete “${name}”?`)}
      data-consequence="It is removed from the portal for good. A copy in the sandbox stays where it is."
      data-verb="Delete file"
      data-danger
      data-deletes={quoted(path)}
    >
      <input type="hidden" name="path" value={quoted(path)} />
      <IconButton icon="trash-2" label={`Delete ${name}`} type="submit" />
    </form>
  )
}

function Body({ agentId, path, name, size, preview }: PreviewProps & { name: string }) {
  if (preview.kind === 'image') return <img class="image-preview" src={quoted(preview.url)} alt={quoted(name)} />
  if (preview.kind === 'other') return <Facts agentId={agentId} path={path} name={name} size={size} />
  if (preview.text === '') return <p class="hint pad">This file is empty.</p>
  return (
    <>
      {preview.cut ? (
        <p class="cut">
          <Icon name="info" small />
          <span>
            Only the beginning is shown. <a href={downloadUrl(agentId, path)}>Download the whole file</a>.
          </span>
        </p>
      ) : (
        ''
      )}
      <pre class="text-preview" tabindex={0} role="region" aria-label={quoted(`Text of ${name}`)} safe>
        {`\n${preview.text}`}
      </pre>
    </>
  )
}

function Facts({ agentId, path, name, size }: Omit<PreviewProps, 'preview'> & { name: string }) {
  return (
    <div class="pad stack">
      <p class="soft">This kind of file cannot be shown here.</p>
      <dl class="facts">
        <dt>Kind</dt>
        <dd safe>{fileKind(name)}</dd>
        <dt>Size</dt>
        <dd safe>{`${fileSize(size)} (${size.toLocaleString('en-GB')} bytes)`}</dd>
        <dt>Path</dt>
        <dd class="mono anywhere" safe>
          {path}
        </dd>
      </dl>
      <div>
        <a class="button" href={downloadUrl(agentId, path)} download={quoted(name)}>
          <Icon name="download" />
          Download
        </a>
      </div>
    </div>
  )
}

function downloadUrl(agentId: number, path: string): string {
  return `/api/workspace/output/files/download?agent_id=${agentId}&path=${encodeURIComponent(path)}`
}
