// Keeps terminals alive while pages change: a slot in the page shows one, the dock beside the page holds the others.
import type { TerminalNews } from '../terminal/x-term.ts'
import { ask } from './confirm.ts'
import { onHtmx, type SwapTask } from './htmx.ts'
import { find, findAll, icon, on, remembered } from './page.ts'
import { toSignIn } from './sign-in.ts'
import { toast } from './toasts.ts'

/** The element as the page uses it. Before its code has come it is a plain element without these. */
export interface TerminalElement extends HTMLElement {
  news?: TerminalNews
  /** It is visible again: takes the size of its place. */
  show?(): void
  find?(): void
  resizeText?(by: number): void
}

const KEPT = 3

/** Puts terminals into their slots, now and after every change of the page. */
export function initDock(): void {
  onHtmx('htmx:before:swap', ({ tasks }) => park(tasks))
  onHtmx('htmx:after:swap', place)
  document.addEventListener('x-term:news', (event) => {
    if (event.target === currentTerminal()) tell(event.target as TerminalElement)
  })
  on('click', '[data-terminal]', (button) => command(button.dataset.terminal ?? ''))
  place()
}

/** The terminal that the page shows. */
export function currentTerminal(): TerminalElement | null {
  return find<TerminalElement>('.terminal-slot > x-term')
}

/** Moves the focus into the terminal, at once or when its code has come. */
export function focusTerminal(): void {
  const terminal = currentTerminal()
  if (terminal?.news) terminal.focus()
  else if (terminal) terminal.dataset.focus = ''
}

/** Does what a button or a key asks of the terminal. */
export function command(name: string): void {
  const terminal = currentTerminal()
  if (name === 'find') terminal?.find?.()
  if (name === 'larger') terminal?.resizeText?.(1)
  if (name === 'smaller') terminal?.resizeText?.(-1)
}

// Before a part of the page goes, the terminal in it is moved out: it keeps its socket and its screen.
function park(tasks: SwapTask[]): void {
  const terminal = currentTerminal()
  const dock = find('#dock')
  if (!terminal || !dock) return
  const goes = tasks.some(({ target, swapSpec }) => {
    const element = typeof target === 'string' ? find(target) : target
    return swapSpec.style !== 'none' && element?.contains(terminal)
  })
  if (goes) move(terminal, dock)
}

function place(): void {
  const slot = find('.terminal-slot')
  if (slot?.dataset.session && !slot.querySelector('x-term')) {
    const known = find<TerminalElement>(`#dock > x-term[session="${CSS.escape(slot.dataset.session)}"]`)
    if (known) move(known, slot)
    else slot.append(created(slot))
    known?.show?.()
    const terminal = currentTerminal()
    if (terminal?.news) tell(terminal)
    void loadTerminal()
  }
  const parked = findAll('#dock > x-term')
  for (const [at, terminal] of parked.entries()) if (at < parked.length - KEPT || terminal.dataset.link === 'closed') terminal.remove()
}

function created(slot: HTMLElement): HTMLElement {
  const { session = '', theme = 'dark', name = '', screenReader } = slot.dataset
  const terminal = document.createElement('x-term')
  terminal.setAttribute('session', session)
  terminal.dataset.theme = theme
  terminal.setAttribute('aria-label', `Terminal of ${name}`)
  if (screenReader !== undefined) terminal.setAttribute('screen-reader', '')
  return terminal
}

// The terminal's code is large: it waits until the page has been drawn.
const idle = window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 50))
let loading: Promise<unknown> | undefined

function loadTerminal(): Promise<unknown> {
  loading ??= new Promise<void>((resolve) => idle(() => resolve(), { timeout: 500 })).then(async () => {
    const { defineTerminal } = await import('../terminal/x-term.ts')
    defineTerminal({ ask, toast, icon, remembered, toSignIn, current: currentTerminal })
  })
  return loading
}

function move(element: HTMLElement, parent: HTMLElement): void {
  const place = parent as HTMLElement & { moveBefore?(node: Node, before: Node | null): void }
  if (place.moveBefore) place.moveBefore(element, null)
  else place.append(element)
}

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

function tell(terminal: TerminalElement): void {
  const panel = terminal.closest('.panel')
  const { news } = terminal
  if (!panel || !news) return
  const words: Record<string, string> = {
    link: news.link,
    size: news.size,
    font: news.font,
    latency: news.latencyMs === undefined ? '' : `${news.latencyMs} ms`,
    viewers: news.viewers > 1 ? `${news.viewers} tabs` : '',
  }
  for (const element of findAll('[data-term]', panel)) {
    const name = element.dataset.term ?? ''
    if (name === 'dot') element.dataset.tone = news.tone
    else write(find('[data-term-word]', element) ?? element, words[name] ?? '')
    element.hidden = name !== 'dot' && words[name] === ''
  }
}
