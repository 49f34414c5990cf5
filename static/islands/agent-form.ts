// The agent form: presets fill fields, rows of variables come and go, and a summary says what will be made.
import { findAll } from './page.ts'

interface Magic {
  $el: HTMLElement
  $refs: Record<string, HTMLElement>
  $root: HTMLFormElement
}

interface Summary {
  name: string
  provider: string
  model: string
  sandbox: string
}

const FILLED = { anthropic_base_url: 'url', anthropic_haiku_model: 'haiku', anthropic_sonnet_model: 'sonnet', anthropic_opus_model: 'opus' } as const

/** Alpine component of the form. */
export function agentForm() {
  // What was typed for a provider comes back when it is chosen again.
  const typed = new Map<string, Record<string, string>>()
  let provider = ''
  return {
    name: '',
    provider: '',
    model: '',
    sandbox: '',
    init(this: Magic & Summary) {
      const form = this.$el as HTMLFormElement
      provider = chosen(form)?.value ?? ''
      const update = () => Object.assign(this, summaryOf(form, this.$refs))
      form.addEventListener('input', update)
      form.addEventListener('change', update)
      update()
    },
    fill(this: Magic, event: Event) {
      const radio = event.target
      const form = this.$root
      if (!(radio instanceof HTMLInputElement) || radio.name !== 'provider') return
      typed.set(provider, Object.fromEntries(Object.keys(FILLED).map((name) => [name, field(form, name)?.value ?? ''])))
      provider = radio.value
      const known = typed.get(provider)
      for (const [name, key] of Object.entries(FILLED)) {
        const input = field(form, name)
        if (input) input.value = known?.[name] ?? radio.dataset[key] ?? ''
      }
      showKeyHelp(this.$refs.keyHelp, radio.dataset.keyUrl)
    },
    addEnv(this: Magic) {
      const template = this.$refs.envTemplate
      if (!(template instanceof HTMLTemplateElement)) return
      this.$refs.envs?.append(template.content.cloneNode(true))
      this.$refs.envs?.lastElementChild?.querySelector('input')?.focus()
    },
    removeEnv(this: Magic, event: Event) {
      const row = (event.currentTarget as HTMLElement).closest('[data-env]')
      const next = row?.nextElementSibling ?? row?.previousElementSibling
      row?.remove()
      next?.querySelector('input')?.focus()
      this.$root.dispatchEvent(new Event('input', { bubbles: true }))
    },
    hideEnv(event: Event) {
      const kind = event.currentTarget as HTMLSelectElement
      const value = kind.closest('[data-env]')?.querySelector<HTMLInputElement>('[name=env_value]')
      if (value) value.type = kind.value === 'secret' ? 'password' : 'text'
    },
  }
}

function field(form: HTMLFormElement, name: string): HTMLInputElement | null {
  return form.querySelector<HTMLInputElement>(`[name="${name}"]`)
}

function chosen(form: HTMLFormElement): HTMLInputElement | null {
  return form.querySelector<HTMLInputElement>('[name=provider]:checked')
}

function showKeyHelp(place: HTMLElement | undefined, url: string | undefined): void {
  const link = place?.querySelector('a')
  if (!place || !link) return
  place.hidden = !url
  if (url) link.href = url
}

function summaryOf(form: HTMLFormElement, refs: Record<string, HTMLElement>): Summary {
  const value = (name: string) => field(form, name)?.value.trim() ?? ''
  const { cpu = '', memory = '' } = refs.sandbox?.dataset ?? {}
  const use = form.querySelector('[name=icon]:checked + .icon use')?.getAttribute('href')
  if (use) for (const place of findAll('use', refs.icon)) place.setAttribute('href', use)
  return {
    name: value('name') || 'Unnamed',
    provider: chosen(form)?.dataset.name ?? 'Other',
    model: value('anthropic_opus_model') || 'As the provider chooses',
    sandbox: `${value('cpu_limit') || cpu} cores, ${value('memory_limit') || memory} GiB`,
  }
}
