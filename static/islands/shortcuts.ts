// Keys of the whole page. Fields keep their letters, and a focused terminal keeps all keys but four.
import { command, currentTerminal, focusTerminal } from './dock.ts'
import { find, findAll, isTyping, on, remembered } from './page.ts'
import { toggleSide } from './side.ts'

const SINGLE_KEYS = 'single-keys'
const SECOND_KEY_MS = 1500
let wentAt = Number.NEGATIVE_INFINITY

/** Listens for the keys that the dialog of keys lists. */
export function initShortcuts(): void {
  // In the capture phase: a terminal would take them for itself.
  document.addEventListener('keydown', withModifiers, true)
  document.addEventListener('keydown', single)
  for (const box of findAll<HTMLInputElement>('[data-single-keys]')) box.checked = remembered.get(SINGLE_KEYS) !== 'off'
  on<HTMLInputElement>('change', '[data-single-keys]', (box) => remembered.set(SINGLE_KEYS, box.checked ? 'on' : 'off'))
  if (/Mac|iPhone|iPad/.test(navigator.userAgent)) for (const key of findAll('[data-mod]')) key.textContent = '⌘K'
}

function withModifiers(event: KeyboardEvent): void {
  const main = event.ctrlKey || event.metaKey
  if (!main || event.altKey) return
  const inTerminal = event.target instanceof Element && event.target.closest('x-term') !== null
  const does = event.shiftKey ? { KeyK: openPalette, KeyE: toggleSide, KeyF: () => command('find') }[event.code] : event.code === 'KeyK' && !inTerminal ? openPalette : undefined
  if (!does || (event.code === 'KeyF' && !currentTerminal())) return
  event.preventDefault()
  event.stopPropagation()
  does()
}

/** Opens the dialog with agents, pages and commands. */
export function openPalette(): void {
  const dialog = find<HTMLDialogElement>('#palette')
  if (dialog && !find('dialog[open]:modal')) dialog.showModal()
}

function single(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (isTyping(event.target) || find('dialog:modal') || find('.menu:popover-open')) return
  if (event.key === 'Escape') return backToTerminal(event)
  if (remembered.get(SINGLE_KEYS) === 'off') return
  const follow = (selector: string) => find<HTMLAnchorElement>(`.sidebar[aria-label] ${selector}`)?.click()
  const second = performance.now() - wentAt < SECOND_KEY_MS
  wentAt = Number.NEGATIVE_INFINITY
  if (second && /^[a-z]$/.test(event.key)) follow(`a[data-go="${event.key}"]`)
  else if (event.key === 'g') wentAt = performance.now()
  else if (event.key === 'n') follow('a[href="/agents/new"]')
  else if (/^[1-9]$/.test(event.key)) findAll<HTMLAnchorElement>('#agents-side .agent')[Number(event.key) - 1]?.click()
  else if (event.key === '/') openPalette()
  else if (event.key === '?') find<HTMLDialogElement>('#keys')?.showModal()
  else if (wakes(event)) find<HTMLFormElement>('#start[data-wake] form')?.requestSubmit()
  else return
  event.preventDefault()
}

// Whoever begins to type at an agent that sleeps wants it. Links and buttons keep their own keys.
function wakes({ key, target }: KeyboardEvent): boolean {
  const isTyped = key.length === 1 || key === 'Enter'
  return isTyped && find('#start[data-wake]') !== null && !(target instanceof Element && target.closest('a, button, summary, [role]'))
}

function backToTerminal(event: KeyboardEvent): void {
  if (find('#side[data-open]') || !currentTerminal()) return
  event.preventDefault()
  focusTerminal()
}
