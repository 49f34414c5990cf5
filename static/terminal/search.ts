// The search bar of the terminal.
import type { SearchAddon } from '@xterm/addon-search'
import type { Terminal } from '@xterm/xterm'

/** Connects `.term-search` beside the terminal: Enter finds on, Shift+Enter back, Escape closes. */
export function bindSearch(host: HTMLElement, term: Terminal, search: SearchAddon): void {
  const bar = host.querySelector<HTMLElement>('.term-search') ?? document.querySelector<HTMLElement>('.term-search')
  const input = bar?.querySelector('input')
  if (!bar || !input) return
  const open = () => {
    bar.hidden = false
    input.focus()
    input.select()
  }
  const close = () => {
    bar.hidden = true
    search.clearDecorations()
    term.focus()
  }
  host.addEventListener('find', open)
  for (const button of document.querySelectorAll('[data-action="find"]')) button.addEventListener('click', open)
  bar.querySelector('[data-action="close-search"]')?.addEventListener('click', close)
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close()
    else if (event.key === 'Enter') event.shiftKey ? search.findPrevious(input.value) : search.findNext(input.value)
    else return
    event.preventDefault()
  })
}
