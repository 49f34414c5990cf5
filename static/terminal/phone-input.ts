// Keys that a phone's keyboard lacks, and a box to write in before it is sent.
import type { Terminal } from '@xterm/xterm'

const FIXED: Record<string, string> = { Esc: '\x1b', Tab: '\t', 'Shift Tab': '\x1b[Z' }
const ARROWS: Record<string, string> = { Up: 'A', Down: 'B', Right: 'C', Left: 'D' }
// A program tells pasted text from a pressed Enter by the pause between them.
const ENTER_AFTER_MS = 50

/** What the bar presses keys on. */
export interface KeyTarget {
  term?: Terminal
  /** Ctrl is held for the next key. */
  latched: boolean
}

/** Makes every key bar and compose box of the page work on the terminal that `current` gives. */
export function initPhoneInput(current: () => KeyTarget | null): void {
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>('.keybar [data-key]') : null
    const target = current()
    if (button && target?.term) press(button.dataset.key ?? '', target, target.term)
  })
  document.addEventListener('submit', (event) => {
    const form = event.target
    if (!(form instanceof HTMLFormElement) || !form.matches('.compose')) return
    event.preventDefault()
    const target = current()
    const text = form.querySelector('textarea')
    if (target?.term && text) send(text, target, target.term)
  })
  document.addEventListener('keydown', (event) => {
    const text = event.target
    if (!(text instanceof HTMLTextAreaElement) || !text.matches('.compose textarea') || event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    // A keyboard with keys sends with Enter; on a screen keyboard Enter makes a new line.
    if (matchMedia('(pointer: coarse)').matches) return
    event.preventDefault()
    text.form?.requestSubmit()
  })
}

/** Draws the latch of Ctrl. */
export function showLatch(on: boolean): void {
  document.querySelector('.keybar [data-key="Ctrl"]')?.setAttribute('aria-pressed', String(on))
}

/** Ctrl with a letter, as a terminal sends it. */
export function controlOf(character: string): string {
  return String.fromCharCode(character.toUpperCase().charCodeAt(0) & 31)
}

function press(key: string, target: KeyTarget, term: Terminal): void {
  if (key === 'Ctrl') {
    target.latched = !target.latched
    return showLatch(target.latched)
  }
  const arrow = ARROWS[key]
  const prefix = term.modes.applicationCursorKeysMode ? '\x1bO' : '\x1b['
  term.input(arrow ? (target.latched ? `\x1b[1;5${arrow}` : prefix + arrow) : (FIXED[key] ?? ''), true)
  target.latched = false
  showLatch(false)
}

function send(text: HTMLTextAreaElement, target: KeyTarget, term: Terminal): void {
  const { value } = text
  text.value = ''
  if (target.latched && [...value].length === 1) return term.input(value, true)
  if (value !== '') term.paste(value)
  setTimeout(() => term.input('\r', true), value === '' ? 0 : ENTER_AFTER_MS)
}
