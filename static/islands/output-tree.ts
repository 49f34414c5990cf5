// The tree of output: folders open and stay open, new files are marked, live changes move nothing under the pointer.
import { load, onHtmx } from './htmx.ts'
import { find, findAll, on } from './page.ts'
import { toast } from './toasts.ts'
import { initTreeKeys, moveTabStop } from './tree-keys.ts'

const NEW_MS = 60_000
const FADE_MS = 2500
const PAGES_EVERY_MS = 3000

// By path: when a new state of a file was first seen here, and which state was opened.
const firstSeen = new Map<string, { at: number; since: number }>()
const opened = new Map<string, number>()
// Version of a folder whose level is in the page, and the folders that are being read.
const loaded = new WeakMap<Element, string>()
const reading = new WeakSet<Element>()
let pagesDue = 0
let deleting: { path: string; next?: string } | undefined
let connections = 0

/** Makes the tree and the preview below it work. */
export function initOutputTree(): void {
  on('click', '[data-folder]', toggle)
  on('click', '#output [data-path]', (row) => open(row))
  on('click', '[data-preview="close"]', closePreview)
  on<HTMLImageElement>('load', '.image-preview', showDimensions, { capture: true })
  initTreeKeys(toggle)
  keepPlace()
  onHtmx('htmx:before:request', ({ ctx }) => {
    const path = ctx.sourceElement.dataset.deletes
    if (path !== undefined) deleting = { path, next: neighbour(path) }
  })
  onHtmx('htmx:after:swap', settle)
  // Changes during a pause were not heard: the levels are read again.
  onHtmx('htmx:sse:after:connection', () => {
    if (++connections > 1) refreshAll()
  })
  setInterval(markNew, 5000)
}

function settle(): void {
  const output = find('#output')
  if (!output) return
  finishDelete()
  const total = find('[data-total]', output)?.dataset.total
  const badge = find('[data-output-total]')
  if (badge && total !== undefined) badge.textContent = Number(total).toLocaleString('en-GB')
  markSelected()
  markNew()
  moveTabStop()
  for (const row of findAll('[aria-expanded="true"] > [data-folder]', output)) if (stale(row)) void readLevel(row)
  refreshPages()
}

function groupOf(row: HTMLElement): HTMLElement | null {
  return row.parentElement?.querySelector<HTMLElement>(':scope > [role=group]') ?? null
}

function toggle(row: HTMLElement): void {
  const item = row.closest('[role=treeitem]')
  const expand = item?.getAttribute('aria-expanded') !== 'true'
  item?.setAttribute('aria-expanded', String(expand))
  if (expand && stale(row)) void readLevel(row)
}

function stale(row: HTMLElement): boolean {
  const group = groupOf(row)
  return group !== null && loaded.get(group) !== row.dataset.version
}

async function readLevel(row: HTMLElement): Promise<void> {
  const group = groupOf(row)
  const { version = '', folder = '' } = row.dataset
  if (!group || reading.has(group)) return
  reading.add(group)
  row.parentElement?.setAttribute('aria-busy', 'true')
  try {
    await load(folder, row, group, 'innerMorph')
    loaded.set(group, version)
  } finally {
    reading.delete(group)
    row.parentElement?.removeAttribute('aria-busy')
  }
  // It changed again while it was read; a folder that cannot be read has another version or goes.
  if (row.isConnected && row.dataset.version !== version) void readLevel(row)
}

// Further pages of a long level are not part of its live changes: they are read again now and then.
function refreshPages(): void {
  const pages = findAll('#output [data-more]:has(> .more-rows)')
  if (pages.length === 0 || pagesDue !== 0) return
  pagesDue = window.setTimeout(() => {
    pagesDue = 0
    for (const page of pages) if (page.isConnected) void load(page.dataset.more ?? '', page, page, 'innerMorph')
  }, PAGES_EVERY_MS)
}

function refreshAll(): void {
  const output = find('#output')
  if (output) void load(`/agents/${output.dataset.agent}/output?path=`, output, output, 'innerMorph')
}

// The first change after the page was drawn counts as new, until it is opened or a minute has passed.
function markNew(): void {
  const output = find('#output')
  if (!output) return
  const seen = Number(output.dataset.seen)
  const now = performance.now()
  for (const row of findAll('[data-at]', output)) {
    const at = Number(row.dataset.at)
    const path = row.dataset.path ?? ''
    if (at <= seen || opened.get(path) === at) {
      row.classList.remove('arrived', 'settled')
      continue
    }
    const known = firstSeen.get(path)
    const since = known?.at === at ? known.since : now
    firstSeen.set(path, { at, since })
    row.classList.toggle('arrived', now - since < NEW_MS)
    row.classList.toggle('settled', now - since > FADE_MS)
  }
}

function open(row: HTMLElement): void {
  opened.set(row.dataset.path ?? '', Number(row.dataset.at))
  row.classList.remove('arrived', 'settled')
  moveTabStop(row.parentElement ?? undefined)
}

function markSelected(): void {
  const path = find('#preview:not([hidden])')?.dataset.path
  for (const row of findAll('#output [data-path]')) {
    const selected = path !== undefined && row.dataset.path === path && row.dataset.folder === undefined
    row.classList.toggle('selected', selected)
    if (selected) row.parentElement?.setAttribute('aria-selected', 'true')
    else row.parentElement?.removeAttribute('aria-selected')
  }
}

function closePreview(): void {
  const preview = find('#preview')
  if (!preview) return
  const path = preview.dataset.path
  preview.hidden = true
  preview.replaceChildren()
  delete preview.dataset.path
  markSelected()
  if (path !== undefined) rowOf(path)?.parentElement?.focus()
}

function showDimensions(image: HTMLImageElement): void {
  const place = find('#preview [data-dimensions]')
  if (place) place.textContent = `${image.naturalWidth} × ${image.naturalHeight}`
}

function rowOf(path: string): HTMLElement | undefined {
  return findAll('#output [data-path]').find((row) => row.dataset.path === path)
}

function neighbour(path: string): string | undefined {
  const rows = findAll('#output [data-path]').filter((row) => row.offsetParent !== null)
  const at = rows.findIndex((row) => row.dataset.path === path)
  return (rows[at + 1] ?? rows[at - 1])?.dataset.path
}

function finishDelete(): void {
  if (!deleting || !find('#preview')?.hidden) return
  const { path, next } = deleting
  deleting = undefined
  rowOf(path)?.parentElement?.remove()
  toast({ tone: 'ok', title: `“${path.slice(path.lastIndexOf('/') + 1)}” is deleted` })
  if (next !== undefined) rowOf(next)?.parentElement?.focus()
}

// Rows that come in above the pointer push the list up instead of the row away.
function keepPlace(): void {
  let held: { row: HTMLElement; top: number } | undefined
  onHtmx('htmx:before:swap', () => {
    const row = find('#output [data-path]:hover')
    held = row ? { row, top: row.getBoundingClientRect().top } : undefined
  })
  onHtmx('htmx:after:swap', () => {
    const output = find('#output')
    if (held?.row.isConnected && output) output.scrollTop += held.row.getBoundingClientRect().top - held.top
    held = undefined
  })
}
