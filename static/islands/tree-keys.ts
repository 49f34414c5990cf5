// Keys in a tree: one tab stop, arrows inside, Home and End, Enter for what a click does.
import { findAll, on } from './page.ts'

const visible = (tree: ParentNode) => findAll('[role=treeitem]', tree).filter((item) => item.offsetParent !== null)

/** Arrow keys move and open; `toggle` opens and closes the folder of a row. */
export function initTreeKeys(toggle: (row: HTMLElement) => void): void {
  on('keydown', '[role=treeitem]', (item, event) => {
    if (!(event instanceof KeyboardEvent) || event.ctrlKey || event.metaKey || event.altKey) return
    const row = item.querySelector<HTMLElement>('.list-row')
    if (event.key === 'Enter' || event.key === ' ') row?.click()
    else {
      const to = target(item, event.key, () => row && toggle(row))
      if (!to) return
      moveTabStop(to)
      to.focus()
    }
    event.preventDefault()
  })
}

function target(item: HTMLElement, key: string, toggle: () => void): HTMLElement | undefined {
  const items = visible(item.closest('[role=tree]') ?? document)
  const at = items.indexOf(item)
  const expanded = item.getAttribute('aria-expanded')
  switch (key) {
    case 'ArrowDown':
      return items[at + 1] ?? item
    case 'ArrowUp':
      return items[at - 1] ?? item
    case 'Home':
      return items[0]
    case 'End':
      return items.at(-1)
    case 'ArrowRight':
      if (expanded === 'false') toggle()
      return expanded === 'true' ? (items[at + 1] ?? item) : item
    case 'ArrowLeft':
      if (expanded === 'true') toggle()
      return expanded === 'true' ? item : (item.parentElement?.closest<HTMLElement>('[role=treeitem]') ?? item)
    default:
      return undefined
  }
}

/** Tab reaches this item, or the one that it reached before, or the first. Live changes may have taken it away. */
export function moveTabStop(to?: HTMLElement): void {
  for (const tree of findAll('[role=tree]')) {
    const items = visible(tree)
    const stops = items.filter((item) => item.tabIndex === 0)
    const focused = items.find((item) => item === document.activeElement)
    const stop = (to && items.includes(to) ? to : undefined) ?? focused ?? stops.at(-1) ?? items[0]
    for (const item of stops) if (item !== stop) item.tabIndex = -1
    if (stop) stop.tabIndex = 0
  }
}
