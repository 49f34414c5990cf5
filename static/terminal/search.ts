// The search bar of a terminal. Its code comes with the first search.
import { SearchAddon } from '@xterm/addon-search'
import type { Terminal } from '@xterm/xterm'

// Colours of matches: xterm wants them as #rrggbb.
const DECORATIONS = { matchOverviewRuler: '#8a6d1f', activeMatchColorOverviewRuler: '#d9a521', matchBackground: '#5c4a16', activeMatchBackground: '#8f6c0d' }

/** A bar over the terminal: Enter finds the next match upwards, Shift+Enter back, Escape closes. */
export class SearchBar {
  private readonly addon = new SearchAddon()
  private readonly bar = document.createElement('div')
  private readonly input = document.createElement('input')
  private readonly count = document.createElement('span')

  constructor(
    host: HTMLElement,
    private readonly term: Terminal,
    icon: (name: string) => SVGElement,
  ) {
    term.loadAddon(this.addon)
    this.bar.className = 'term-search'
    this.bar.setAttribute('role', 'search')
    this.input.className = 'input small'
    this.input.type = 'text'
    this.input.placeholder = 'Find'
    this.input.setAttribute('aria-label', 'Find in terminal')
    this.count.className = 'hint num'
    this.count.setAttribute('role', 'status')
    this.bar.append(
      this.input,
      this.count,
      this.button(icon('arrow-up'), 'Previous match', () => this.find('back')),
      this.button(icon('arrow-down'), 'Next match', () => this.find('on')),
      this.button(icon('x'), 'Close search', () => this.close()),
    )
    host.append(this.bar)
    this.input.addEventListener('input', () => this.find('here'))
    this.input.addEventListener('keydown', (event) => this.key(event))
    this.addon.onDidChangeResults(({ resultIndex, resultCount }) => {
      this.count.textContent = this.input.value === '' ? '' : resultCount === 0 ? 'None' : resultIndex < 0 ? `${resultCount}` : `${resultIndex + 1} of ${resultCount}`
    })
  }

  open(): void {
    this.bar.hidden = false
    const selected = this.term.getSelection()
    if (selected && !selected.includes('\n')) this.input.value = selected
    this.input.focus()
    this.input.select()
  }

  private close(): void {
    this.bar.hidden = true
    this.addon.clearDecorations()
    this.term.focus()
  }

  private key(event: KeyboardEvent): void {
    if (event.key === 'Escape') this.close()
    else if (event.key === 'Enter') this.find(event.shiftKey ? 'on' : 'back')
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  // The newest output is at the bottom: the search begins there and goes up.
  private find(way: 'here' | 'back' | 'on'): void {
    if (this.input.value === '') return this.addon.clearDecorations()
    if (way === 'on') this.addon.findNext(this.input.value, { decorations: DECORATIONS })
    else this.addon.findPrevious(this.input.value, { decorations: DECORATIONS, incremental: way === 'here' })
  }

  private button(icon: SVGElement, label: string, press: () => void): HTMLButtonElement {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'button icon-only quiet tiny'
    button.title = label
    button.setAttribute('aria-label', label)
    button.append(icon)
    button.addEventListener('click', press)
    return button
  }
}
