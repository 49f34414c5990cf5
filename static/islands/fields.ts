// Behaviours of fields that sign-in pages need too: showing a password, copying, and the strength of a new one.
import { find, on } from './page.ts'

const WORDS = ['Too short', 'Weak', 'Fair', 'Good', 'Strong']
const TONES = ['bad', 'bad', 'warn', 'ok', 'ok']

/** Makes `data-reveal`, `data-copy` and `data-strength` work. */
export function initFields(): void {
  on('click', '[data-reveal]', reveal)
  on('click', '[data-copy]', (button) => void copy(button))
  on<HTMLInputElement>('input', '[data-strength]', showStrength)
}

function reveal(button: HTMLElement): void {
  const input = button.parentElement?.querySelector('input')
  const use = button.querySelector('use')
  if (!input || !use) return
  const shown = input.type === 'password'
  input.type = shown ? 'text' : 'password'
  button.setAttribute('aria-pressed', String(shown))
  use.setAttribute('href', (use.getAttribute('href') ?? '').replace(/#.*/, shown ? '#eye-off' : '#eye'))
}

async function copy(button: HTMLElement): Promise<void> {
  const input = find<HTMLInputElement>(`#${button.dataset.copy}`)
  const use = button.querySelector('use')
  if (!input || !use) return
  input.select()
  try {
    await navigator.clipboard.writeText(input.value)
  } catch {
    // @NOTE without permission, or on plain HTTP, the text stays selected: the person copies it by the keyboard.
    return
  }
  const before = use.getAttribute('href') ?? ''
  use.setAttribute('href', before.replace(/#.*/, '#check'))
  button.setAttribute('aria-label', 'Copied')
  setTimeout(() => {
    use.setAttribute('href', before)
    button.setAttribute('aria-label', 'Copy')
  }, 2000)
}

function showStrength(input: HTMLInputElement): void {
  const field = input.closest('.field')
  const bar = field?.querySelector('progress')
  const hint = field?.querySelector<HTMLElement>('.hint')
  if (!bar) return
  const score = strengthOf(input.value, Number(input.dataset.strength))
  bar.hidden = input.value === ''
  bar.value = Math.max(1, score)
  bar.dataset.tone = TONES[score]
  bar.setAttribute('aria-valuetext', WORDS[score] ?? '')
  if (!hint) return
  hint.dataset.rule ??= hint.textContent ?? ''
  hint.textContent = input.value === '' ? hint.dataset.rule : `${WORDS[score]}. ${hint.dataset.rule}`
}

/** 0 to 4: length counts most, then variety; repeats and rows of keys count little. */
export function strengthOf(password: string, minLength: number): number {
  if ([...password].length < minLength) return 0
  const distinct = new Set(password.toLowerCase()).size
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length
  const rows = /(.)\1{3}|1234|abcd|qwer|asdf|passw/i.test(password) ? 1 : 0
  const score = (password.length >= 20 ? 2 : 1) + (distinct >= 10 ? 1 : 0) + (kinds >= 3 || password.length >= 24 ? 1 : 0) - rows
  return Math.max(1, Math.min(4, distinct < 5 ? 1 : score))
}
