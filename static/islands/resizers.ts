// Handles between panels: drag, arrow keys by 16 px, Enter for the standard size; remembered in this browser.
import { find, on, remembered } from './page.ts'

interface Kind {
  /** What is set, and where. */
  property: string
  place: string
  unit: 'px' | '%'
  min: number
  max: number
  /** Change per arrow key. */
  step: number
  /** Size for a pointer's position. */
  at(event: PointerEvent, place: HTMLElement): number
}

const KINDS: Record<string, Kind> = {
  side: { property: '--side', place: '.workbench', unit: 'px', min: 300, max: 700, step: 16, at: (event, place) => place.getBoundingClientRect().right - event.clientX },
  preview: {
    property: '--preview',
    place: '.side-body',
    unit: '%',
    min: 20,
    max: 80,
    step: 4,
    at: (event, place) => ((place.getBoundingClientRect().bottom - event.clientY) / place.clientHeight) * 100,
  },
}

/** Makes every `data-resize` handle work, and applies the remembered sizes to new parts of the page. */
export function initResizers(): void {
  on('pointerdown', '[data-resize]', (handle, event) => drag(handle, event as PointerEvent))
  on('keydown', '[data-resize]', (handle, event) => key(handle, event as KeyboardEvent))
  applyRemembered()
  document.addEventListener('htmx:after:swap', applyRemembered)
}

function applyRemembered(): void {
  for (const [name, kind] of Object.entries(KINDS)) {
    const stored = Number(remembered.get(name))
    const handle = find(`[data-resize="${name}"]`)
    if (stored && handle) set(handle, kind, stored)
  }
}

function kindOf(handle: HTMLElement): Kind | undefined {
  return KINDS[handle.dataset.resize ?? '']
}

function set(handle: HTMLElement, kind: Kind, size: number): void {
  const value = Math.round(Math.max(kind.min, Math.min(kind.max, size)))
  handle.closest<HTMLElement>(kind.place)?.style.setProperty(kind.property, `${value}${kind.unit}`)
  handle.setAttribute('aria-valuenow', String(value))
}

function keep(handle: HTMLElement): void {
  remembered.set(handle.dataset.resize ?? '', handle.getAttribute('aria-valuenow') ?? '')
}

function drag(handle: HTMLElement, event: PointerEvent): void {
  const kind = kindOf(handle)
  const place = kind && handle.closest<HTMLElement>(kind.place)
  if (!kind || !place || event.button !== 0) return
  event.preventDefault()
  handle.focus()
  handle.setPointerCapture(event.pointerId)
  handle.dataset.active = ''
  const move = (moved: PointerEvent) => set(handle, kind, kind.at(moved, place))
  handle.addEventListener('pointermove', move)
  handle.addEventListener(
    'lostpointercapture',
    () => {
      handle.removeEventListener('pointermove', move)
      delete handle.dataset.active
      keep(handle)
    },
    { once: true },
  )
}

function key(handle: HTMLElement, event: KeyboardEvent): void {
  const kind = kindOf(handle)
  if (!kind) return
  const now = currentSize(handle, kind)
  if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') set(handle, kind, now + kind.step)
  else if (event.key === 'ArrowRight' || event.key === 'ArrowDown') set(handle, kind, now - kind.step)
  else if (event.key === 'Enter') return reset(handle, kind, event)
  else return
  event.preventDefault()
  keep(handle)
}

// Before it is moved for the first time the size is the style sheet's own.
function currentSize(handle: HTMLElement, kind: Kind): number {
  const next = handle.nextElementSibling
  return kind.unit === 'px' && next ? next.getBoundingClientRect().width : Number(handle.getAttribute('aria-valuenow'))
}

function reset(handle: HTMLElement, kind: Kind, event: KeyboardEvent): void {
  event.preventDefault()
  handle.closest<HTMLElement>(kind.place)?.style.removeProperty(kind.property)
  handle.setAttribute('aria-valuenow', String(Math.round(currentSize(handle, kind))))
  remembered.set(handle.dataset.resize ?? '', '')
}
