// The switch in the account's menu: the page changes at once, the server learns it, and a note offers the way back.
import { find, findAll } from './page.ts'
import { toast } from './toasts.ts'

const WORDS: Record<string, string> = { system: 'System', light: 'Light', dark: 'Dark' }
const NEXT: Record<string, string> = { system: 'light', light: 'dark', dark: 'system' }

// Named in src/http/theme.ts, too.
const SCHEME_COOKIE = 'sac-scheme'
const YEAR_S = 365 * 24 * 3600

/** Tells the server whether the system is light or dark: a terminal starts in the colours of its page. */
export function tellScheme(): void {
  const light = matchMedia('(prefers-color-scheme: light)')
  const tell = () => {
    document.cookie = `${SCHEME_COOKIE}=${light.matches ? 'light' : 'dark'}; Path=/; SameSite=Lax; Max-Age=${YEAR_S}`
  }
  light.addEventListener('change', tell)
  tell()
}

/** Takes over forms with `data-theme-switch`; without scripts they go to the account page. */
export function initTheme(): void {
  document.addEventListener('submit', (event) => {
    const form = event.target
    if (!(form instanceof HTMLFormElement) || form.dataset.themeSwitch === undefined) return
    event.preventDefault()
    const before = form.dataset.themeSwitch
    void change(form, find<HTMLInputElement>('[name=theme]', form)?.value ?? 'system', before)
  })
}

async function change(form: HTMLFormElement, theme: string, before: string): Promise<void> {
  const body = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]))
  body.set('theme', theme)
  show(theme)
  try {
    const answer = await fetch(form.action, { method: 'POST', body })
    if (!answer.ok) throw new Error(String(answer.status))
    toast({ tone: 'ok', title: `Theme: ${WORDS[theme]}`, action: { word: 'Undo', run: () => void change(form, before, theme) } })
  } catch {
    show(before)
    toast({ tone: 'bad', title: 'The theme was not saved', text: 'The server did not answer. Try again in a moment.' })
  }
}

function show(theme: string): void {
  const { documentElement: root } = document
  if (theme === 'system') delete root.dataset.theme
  else root.dataset.theme = theme
  find('meta[name=color-scheme]')?.setAttribute('content', theme === 'system' ? 'light dark' : theme)
  for (const form of findAll<HTMLFormElement>('[data-theme-switch]')) {
    form.dataset.themeSwitch = theme
    const next = find<HTMLInputElement>('[name=theme]', form)
    const word = find('[data-theme-word]', form)
    if (next) next.value = NEXT[theme] ?? 'system'
    if (word) word.textContent = WORDS[theme] ?? ''
  }
}
