// Jump to an agent, a page or a command. The list is made of the links and buttons that the page has already.
import { find, findAll, icon, make } from './page.ts'

interface Entry {
  group: 'Agents' | 'Pages' | 'Commands'
  word: string
  icon: string
  /** Drawn at the right end. */
  end?: Node
  run: () => void
}

let chosen = 0
let shown: Entry[] = []

/** Fills the dialog that is about to open, and makes its keys work. */
export function fillPalette(dialog: HTMLDialogElement): void {
  const input = find<HTMLInputElement>('input', dialog)
  const list = find('[role=listbox]', dialog)
  if (!input || !list) return
  const all = [...agents(), ...pages(), ...commands()]
  const draw = () => drawList(list, input, matching(all, input.value))
  input.value = ''
  input.oninput = () => {
    chosen = 0
    draw()
  }
  input.onkeydown = (event) => key(event, dialog, list, input)
  list.onclick = (event) => {
    const option = event.target instanceof Element ? event.target.closest<HTMLElement>('[role=option]') : null
    if (option) run(dialog, Number(option.dataset.at))
  }
  chosen = 0
  draw()
}

function agents(): Entry[] {
  return findAll<HTMLAnchorElement>('#agents-side .agent').map((row) => ({
    group: 'Agents',
    word: row.querySelector('.name')?.textContent ?? '',
    icon: iconOf(row),
    end: row.querySelector('.state')?.cloneNode(true),
    run: () => row.click(),
  }))
}

function pages(): Entry[] {
  const side = find('aside.sidebar')
  if (!side) return []
  const links = findAll<HTMLAnchorElement>('a[data-go]', side).map(
    (link): Entry => ({ group: 'Pages', word: link.textContent?.trim() ?? '', icon: iconOf(link), run: () => link.click() }),
  )
  const create = find<HTMLAnchorElement>('a[href="/agents/new"]', side)
  return create ? [...links, { group: 'Pages', word: 'New agent', icon: 'plus', run: () => create.click() }] : links
}

// The menus' own items: what cannot be done now is not in them.
function commands(): Entry[] {
  const items = [...findAll('#agent-menu [role=menuitem]'), ...findAll('#account-side [role=menuitem]:not([data-go])')]
  return items.map((item) => ({ group: 'Commands', word: [...item.childNodes].map(wordOf).join('').trim(), icon: iconOf(item), run: () => item.click() }))
}

const wordOf = (node: Node) => (node instanceof HTMLElement && node.matches('kbd, .end') ? '' : (node.textContent ?? ''))

function iconOf(element: Element): string {
  return element.querySelector('use')?.getAttribute('href')?.split('#')[1] ?? 'circle'
}

// Every word that is typed must be somewhere in the entry.
function matching(entries: Entry[], typed: string): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  return entries.filter((entry) => words.every((word) => `${entry.word} ${entry.group}`.toLowerCase().includes(word)))
}

function drawList(list: HTMLElement, input: HTMLInputElement, entries: Entry[]): void {
  shown = entries
  list.replaceChildren()
  entries.forEach((entry, at) => {
    if (entry.group !== entries[at - 1]?.group) {
      const heading = make('div', 'heading', entry.group)
      heading.setAttribute('role', 'presentation')
      list.append(heading)
    }
    list.append(option(entry, at))
  })
  if (entries.length === 0) {
    const nothing = make('div', 'heading', 'Nothing has this name')
    nothing.setAttribute('role', 'presentation')
    list.append(nothing)
  }
  choose(list, input, Math.min(chosen, entries.length - 1))
}

function option(entry: Entry, at: number): HTMLElement {
  const row = make('div')
  row.id = `palette-${at}`
  row.dataset.at = String(at)
  row.setAttribute('role', 'option')
  const end = make('span', 'end')
  if (entry.end) end.append(entry.end)
  row.append(icon(entry.icon), make('span', 'truncate', entry.word), end)
  return row
}

function choose(list: HTMLElement, input: HTMLInputElement, at: number): void {
  chosen = Math.max(0, at)
  for (const row of findAll('[role=option]', list)) {
    const selected = row.dataset.at === String(chosen)
    row.setAttribute('aria-selected', String(selected))
    if (selected) row.scrollIntoView({ block: 'nearest' })
  }
  if (shown.length > 0) input.setAttribute('aria-activedescendant', `palette-${chosen}`)
  else input.removeAttribute('aria-activedescendant')
}

function key(event: KeyboardEvent, dialog: HTMLDialogElement, list: HTMLElement, input: HTMLInputElement): void {
  const count = Math.max(1, shown.length)
  if (event.key === 'ArrowDown') choose(list, input, (chosen + 1) % count)
  else if (event.key === 'ArrowUp') choose(list, input, (chosen + count - 1) % count)
  else if (event.key === 'Enter') run(dialog, chosen)
  else return
  event.preventDefault()
}

function run(dialog: HTMLDialogElement, at: number): void {
  dialog.close()
  shown[at]?.run()
}
