// Unsaved work: a count of changes beside the button, and a question before it is left.
import { ask } from './confirm.ts'
import { onHtmx } from './htmx.ts'
import { find, findAll, on } from './page.ts'

const saved = new WeakMap<HTMLFormElement, Map<string, string>>()
let leaving = false

/** Guards forms with `data-guard`. */
export function initGuard(): void {
  remember()
  onHtmx('htmx:after:swap', () => {
    leaving = false
    remember()
  })
  on<HTMLFormElement>('input', 'form[data-guard]', showCount)
  on('submit', 'form', () => {
    leaving = true
  })
  // A refused form stays: it is guarded again.
  onHtmx('htmx:finally:request', () => {
    leaving = false
  })
  document.addEventListener('click', askFirst, true)
  window.addEventListener('beforeunload', (event) => {
    if (!leaving && changes() > 0) event.preventDefault()
  })
}

function remember(): void {
  for (const form of findAll<HTMLFormElement>('form[data-guard]')) {
    if (!saved.has(form)) saved.set(form, valuesOf(form))
    showCount(form)
  }
}

function valuesOf(form: HTMLFormElement): Map<string, string> {
  const values = new Map<string, string>()
  for (const [name, value] of new FormData(form)) values.set(name, `${values.get(name) ?? ''}\0${String(value)}`)
  return values
}

function changedIn(form: HTMLFormElement): string[] {
  const before = saved.get(form)
  if (!before) return []
  const now = valuesOf(form)
  return [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name))
}

function changes(): number {
  return findAll<HTMLFormElement>('form[data-guard]').reduce((sum, form) => sum + changedIn(form).length, 0)
}

function showCount(form: HTMLFormElement): void {
  const place = find('[data-changes]', form)
  const names = changedIn(form)
  const count = names.length
  if (place) place.textContent = count === 0 ? '' : count === 1 ? '1 unsaved change' : `${count} unsaved changes`
  const words = find('[data-changed-names]', form)
  if (words) words.textContent = names.map((name) => find(`label[for="${CSS.escape(name)}"]`, form)?.textContent?.trim() ?? name).join(', ')
  const bar = find('.savebar', form)
  bar?.toggleAttribute('hidden', count === 0)
  bar?.toggleAttribute('data-counted', true)
}

// In the capture phase: before htmx follows the link.
function askFirst(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
  if (!link || leaving || event.ctrlKey || event.metaKey || event.shiftKey || link.target !== '' || link.getAttribute('href')?.startsWith('#')) return
  const count = changes()
  if (count === 0) return
  event.preventDefault()
  event.stopImmediatePropagation()
  void ask({ title: 'Leave without saving?', text: count === 1 ? 'Your change is lost.' : `Your ${count} changes are lost.`, verb: 'Discard', danger: true }).then((yes) => {
    if (!yes) return
    leaving = true
    link.click()
  })
}
