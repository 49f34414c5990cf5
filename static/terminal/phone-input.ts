// Keys that a phone's keyboard lacks, and a box to write in before it is sent.
import type { Terminal } from '@xterm/xterm'

const KEYS: Record<string, string> = { Esc: '\x1b', Tab: '\t', 'Shift Tab': '\x1b[Z', Left: '\x1b[D', Up: '\x1b[A', Down: '\x1b[B', Right: '\x1b[C' }

/** Connects `.keybar` and `.compose`. Ctrl latches for one key. */
export function bindPhoneInput(host: HTMLElement, term: Terminal, send: (keys: string) => void): void {
  const panel = host.closest('.panel')
  const control = panel?.querySelector<HTMLButtonElement>('.keybar [data-key="Ctrl"]')
  const latch = (on: boolean) => control?.setAttribute('aria-pressed', String(on))
  for (const button of panel?.querySelectorAll<HTMLButtonElement>('.keybar [data-key]') ?? []) {
    button.addEventListener('click', () => {
      const name = button.dataset.key ?? ''
      if (name === 'Ctrl') return latch(control?.getAttribute('aria-pressed') !== 'true')
      send(KEYS[name] ?? '')
      latch(false)
    })
  }
  const form = panel?.querySelector<HTMLFormElement>('.compose')
  const text = form?.querySelector('textarea')
  form?.addEventListener('submit', (event) => {
    event.preventDefault()
    if (!text) return
    const latched = control?.getAttribute('aria-pressed') === 'true'
    if (latched && text.value.length === 1) send(String.fromCharCode(text.value.toUpperCase().charCodeAt(0) & 31))
    else {
      term.paste(text.value)
      send('\r')
    }
    text.value = ''
    latch(false)
  })
}
