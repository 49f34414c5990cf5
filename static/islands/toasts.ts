// Short notes at the edge of the page. They go after six seconds, unless they are looked at.
import { find, icon, make, on } from './page.ts'

const STAY_MS = 6000
const MAX = 4
const ICONS = { ok: 'circle-check', warn: 'triangle-alert', bad: 'circle-alert' }

export interface Note {
  tone: keyof typeof ICONS
  title: string
  text?: string
  icon?: string
  /** One thing to do: a link, or a function such as an undo. */
  action?: { word: string; href?: string; run?: () => void }
}

/** Shows a note. */
export function toast({ tone, title, text, icon: name = ICONS[tone], action }: Note): void {
  const note = make('div', 'toast')
  note.dataset.tone = tone
  const row = make('span', 'row tight')
  if (action) row.append(actionButton(action, () => note.remove()))
  row.append(dismissButton())
  note.append(icon(name), make('b', '', title), ...(text ? [make('p', '', text)] : []), row)
  find('#toasts')?.append(note)
}

/** Watches the place of the notes: those that the server sends are treated alike. */
export function initToasts(): void {
  const place = find('#toasts')
  if (!place) return
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node instanceof HTMLElement) stay(node)
    while (place.childElementCount > MAX) place.firstElementChild?.remove()
    // A popover lies above open dialogs; it is shown only while there is something to see.
    if (place.childElementCount > 0 && !place.matches(':popover-open')) place.showPopover()
    if (place.childElementCount === 0 && place.matches(':popover-open')) place.hidePopover()
  }).observe(place, { childList: true })
  on('click', '[data-dismiss]', (button) => button.closest('.toast')?.remove())
}

function stay(note: HTMLElement): void {
  const timer = window.setInterval(() => {
    if (note.matches(':hover, :focus-within')) return
    clearInterval(timer)
    note.remove()
  }, STAY_MS)
}

function actionButton({ word, href, run }: NonNullable<Note['action']>, done: () => void): HTMLElement {
  const button = href ? Object.assign(make('a', 'button tiny', word), { href }) : Object.assign(make('button', 'button tiny', word), { type: 'button' })
  button.addEventListener('click', () => {
    run?.()
    done()
  })
  return button
}

function dismissButton(): HTMLElement {
  const button = Object.assign(make('button', 'button icon-only quiet tiny'), { type: 'button', title: 'Dismiss' })
  button.setAttribute('aria-label', 'Dismiss')
  button.dataset.dismiss = ''
  button.append(icon('x'))
  return button
}
