// The side panel: always there on wide screens (unless it is folded away), a drawer on narrow ones.
import { focusTerminal } from './dock.ts'
import { find, on } from './page.ts'

let opener: HTMLElement | null = null

/** Makes the buttons and Escape work. */
export function initSide(): void {
  on('click', '[data-side]', (button) => {
    if (button.dataset.side === 'open') {
      opener = button
      openDrawer()
    } else closeDrawer()
  })
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !find('#side[data-open]') || find('dialog:modal') || find('.menu:popover-open')) return
    event.preventDefault()
    closeDrawer()
  })
}

/** Opens the panel, moves the focus into it, or leaves it for the terminal. */
export function toggleSide(): void {
  const side = find('#side')
  if (!side) return
  if (side.contains(document.activeElement)) {
    closeDrawer()
    focusTerminal()
  } else openDrawer()
}

function openDrawer(): void {
  const side = find('#side')
  if (!side) return
  if (matchMedia('(max-width: 68rem)').matches) side.dataset.open = ''
  find('[role=tab][aria-selected=true]', side)?.focus()
}

function closeDrawer(): void {
  const side = find('#side')
  if (side?.dataset.open === undefined) return
  delete side.dataset.open
  opener?.focus()
  opener = null
}
