// Small behaviours of the pages, named in the markup by x-data.

interface Magic {
  $el: HTMLElement
  $refs: Record<string, HTMLElement>
}

/** Shows and hides what a password field holds. */
export function passwordReveal() {
  return {
    shown: false,
    toggle(this: Magic & { shown: boolean }) {
      this.shown = !this.shown
      const input = this.$el.closest('.input-group')?.querySelector('input')
      if (input) input.type = this.shown ? 'text' : 'password'
    },
    label(this: { shown: boolean }) {
      return this.shown ? 'Hide password' : 'Show password'
    },
  }
}

/** Adds and removes rows for environment variables. */
export function envRows() {
  return {
    add(this: Magic) {
      const template = this.$refs.row as HTMLTemplateElement
      this.$refs.rows?.append(template.content.cloneNode(true))
      this.$refs.rows?.lastElementChild?.querySelector('input')?.focus()
    },
    remove(this: Magic, event: Event) {
      ;(event.target as HTMLElement).closest('[data-row]')?.remove()
    },
  }
}

/** Fills URL and model names when a provider is chosen. */
export function presetFill() {
  return {
    fill(this: Magic, event: Event) {
      const { dataset } = event.target as HTMLInputElement
      for (const [field, value] of Object.entries({
        anthropic_base_url: dataset.url,
        anthropic_haiku_model: dataset.haiku,
        anthropic_sonnet_model: dataset.sonnet,
        anthropic_opus_model: dataset.opus,
      })) {
        const input = this.$el.querySelector<HTMLInputElement>(`[name="${field}"]`)
        if (input) input.value = value ?? ''
      }
    },
  }
}

/** Slides the side panel in and out where there is no room for it. */
export function sideToggle() {
  return {
    toggle() {
      const side = document.querySelector<HTMLElement>('.workbench > .side')
      if (!side) return
      const open = side.toggleAttribute('data-open')
      document.querySelector('.side-toggle')?.setAttribute('aria-expanded', String(open))
      const next = open ? side.querySelector<HTMLElement>('.side-close') : document.querySelector<HTMLElement>('.side-toggle')
      next?.focus()
    },
  }
}

const SIDE_KEY = 'sac.side'

/** The handle between terminal and side panel: drag, arrow keys, Enter resets; remembered in this browser. */
export function sideResizer() {
  return {
    init(this: Magic & { set(px: number): void }) {
      const stored = Number(localStorage.getItem(SIDE_KEY))
      if (stored) this.set(stored)
    },
    set(this: Magic, px: number) {
      const width = Math.max(300, Math.min(700, px))
      this.$el.closest<HTMLElement>('.workbench')?.style.setProperty('--side', `${width}px`)
      this.$el.setAttribute('aria-valuenow', String(Math.round(width)))
      localStorage.setItem(SIDE_KEY, String(width))
    },
    drag(this: Magic & { set(px: number): void }, event: PointerEvent) {
      event.preventDefault()
      const handle = this.$el
      handle.setPointerCapture(event.pointerId)
      handle.dataset.active = ''
      const move = (moved: PointerEvent) => this.set(window.innerWidth - moved.clientX - 12)
      handle.addEventListener('pointermove', move)
      handle.addEventListener(
        'pointerup',
        () => {
          handle.removeEventListener('pointermove', move)
          delete handle.dataset.active
        },
        { once: true },
      )
    },
    key(this: Magic & { set(px: number): void }, event: KeyboardEvent) {
      const now = Number(this.$el.getAttribute('aria-valuenow'))
      if (event.key === 'ArrowLeft') this.set(now + 16)
      else if (event.key === 'ArrowRight') this.set(now - 16)
      else if (event.key === 'Enter') this.set(416)
      else return
      event.preventDefault()
    },
  }
}

/** Seconds since a start, counted on the page. */
export function elapsed() {
  return {
    text: '',
    timer: 0,
    init(this: Magic & { text: string; timer: number }) {
      const since = Date.parse(this.$el.dataset.since ?? '')
      const show = () => {
        const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000))
        this.$el.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
      }
      show()
      this.timer = window.setInterval(show, 1000)
    },
    destroy(this: { timer: number }) {
      clearInterval(this.timer)
    },
  }
}

/** Copies the text of the field beside it. */
export function copyButton() {
  return {
    copy(this: Magic) {
      const input = this.$el.closest('.input-group')?.querySelector('input')
      if (input) void navigator.clipboard.writeText(input.value)
    },
  }
}
