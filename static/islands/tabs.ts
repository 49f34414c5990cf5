// Tabs: one tab stop, arrows between them, and the panel of the chosen one.
import { findAll, on } from './page.ts'

/** Makes every tab list work. Panels are named by `aria-controls`. */
export function initTabs(): void {
  on('click', '[role=tab]', choose)
  on('keydown', '[role=tab]', (tab, event) => {
    if (!(event instanceof KeyboardEvent)) return
    const all = siblings(tab)
    const at = all.indexOf(tab)
    const to = { ArrowRight: (at + 1) % all.length, ArrowLeft: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key]
    const next = to === undefined ? undefined : all[to]
    if (!next) return
    event.preventDefault()
    choose(next)
    next.focus()
  })
}

function siblings(tab: HTMLElement): HTMLElement[] {
  return findAll('[role=tab]', tab.closest('[role=tablist]') ?? document)
}

function choose(tab: HTMLElement): void {
  for (const other of siblings(tab)) {
    const selected = other === tab
    other.setAttribute('aria-selected', String(selected))
    other.tabIndex = selected ? 0 : -1
    const panel = document.getElementById(other.getAttribute('aria-controls') ?? '')
    if (panel) panel.hidden = !selected
  }
}
