// Menus and dialogs: keys inside them, and what older browsers lack of them.
import { find, findAll, on } from './page.ts'
import { fillPalette } from './palette.ts'

/** Arrow keys in menus, lists for the palette when it opens, and buttons that open dialogs. */
export function initMenus(): void {
  document.addEventListener('toggle', (event) => opened(event as ToggleEvent), true)
  // Before it opens: the event behind comes late, and would wipe out what a quick hand has typed by then.
  document.addEventListener('beforetoggle', (event) => opening(event as ToggleEvent), true)
  on('keydown', '[role=menu]', (menu, event) => key(menu, event as KeyboardEvent))
  // A chosen item closes its menu, also when its link or form leaves the page as it is.
  on('click', '[role=menu] [role=menuitem]', (item) => item.closest<HTMLElement>('[popover]')?.hidePopover())
  if (!('commandForElement' in HTMLButtonElement.prototype)) openByHand()
  if (!('closedBy' in HTMLDialogElement.prototype)) closeByHand()
}

function opened(event: ToggleEvent): void {
  const { target, newState } = event
  if (newState !== 'open' || !(target instanceof HTMLElement)) return
  if (target.matches('[role=menu]')) find('[role=menuitem]', target)?.focus()
}

function opening({ target, newState }: ToggleEvent): void {
  if (newState === 'open' && target instanceof HTMLDialogElement && target.id === 'palette') fillPalette(target)
}

function key(menu: HTMLElement, event: KeyboardEvent): void {
  const items = findAll('[role=menuitem]', menu)
  const at = items.indexOf(document.activeElement as HTMLElement)
  const to = { ArrowDown: (at + 1) % items.length, ArrowUp: (at - 1 + items.length) % items.length, Home: 0, End: items.length - 1 }[event.key]
  if (event.key === 'Tab') menu.hidePopover()
  if (to === undefined) return
  event.preventDefault()
  items[to]?.focus()
}

function openByHand(): void {
  on('click', '[command="show-modal"]', (button) => find<HTMLDialogElement>(`#${button.getAttribute('commandfor')}`)?.showModal())
}

function closeByHand(): void {
  on<HTMLDialogElement>('click', 'dialog[closedby="any"]', (dialog, event) => {
    if (event.target === dialog) dialog.close()
  })
}
