// Tabs: one tab stop, arrows between them, and the panel of the chosen one.
import { findAll } from './page.ts'

interface Magic {
  $el: HTMLElement
  $root: HTMLElement
}

/** Alpine component of a tab list. Panels are named by `aria-controls`. */
export function tabs() {
  return {
    pick(this: Magic & { choose(tab: HTMLElement): void }, event: Event) {
      const tab = event.target instanceof Element ? event.target.closest<HTMLElement>('[role=tab]') : null
      if (tab) this.choose(tab)
    },
    move(this: Magic & { choose(tab: HTMLElement): void }, event: KeyboardEvent) {
      const all = findAll('[role=tab]', this.$root)
      const at = all.indexOf(document.activeElement as HTMLElement)
      const to = { ArrowRight: (at + 1) % all.length, ArrowLeft: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key]
      const tab = to === undefined ? undefined : all[to]
      if (!tab) return
      event.preventDefault()
      this.choose(tab)
      tab.focus()
    },
    choose(this: Magic, tab: HTMLElement) {
      for (const other of findAll('[role=tab]', this.$root)) {
        const selected = other === tab
        other.setAttribute('aria-selected', String(selected))
        other.tabIndex = selected ? 0 : -1
        const panel = document.getElementById(other.getAttribute('aria-controls') ?? '')
        if (panel) panel.hidden = !selected
      }
    },
  }
}
