// <x-term session="…">: xterm on the terminal's socket, with its own life in the page.
import { ClipboardAddon } from '@xterm/addon-clipboard'
import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { Terminal } from '@xterm/xterm'
import { type LinkState, TerminalConnection, type TerminalStatus } from './connection.ts'
import { paletteOf } from './palette.ts'
import { bindPhoneInput } from './phone-input.ts'
import { bindSearch } from './search.ts'

const HIGH_BYTES = 512 * 1024
const LOW_BYTES = 128 * 1024
const FONT_KEY = 'sac.terminal.font'

class TerminalElement extends HTMLElement {
  term?: Terminal
  private fit = new FitAddon()
  private search = new SearchAddon()
  private connection?: TerminalConnection
  private observer?: ResizeObserver
  private pending = 0
  private paused = false
  private fitTimer = 0

  connectedCallback(): void {
    if (this.term) return
    const screen = document.createElement('div')
    screen.className = 'screen'
    this.append(screen)
    const fontSize = Math.max(8, Math.min(32, Number(localStorage.getItem(FONT_KEY)) || 13))
    const term = new Terminal({
      allowProposedApi: true,
      fontSize,
      fontFamily: getComputedStyle(this).getPropertyValue('--mono').trim() || 'monospace',
      theme: paletteOf(this),
      scrollback: 5000,
      cursorBlink: true,
      screenReaderMode: this.hasAttribute('screen-reader'),
      macOptionIsMeta: true,
    })
    this.term = term
    term.loadAddon(this.fit)
    term.loadAddon(this.search)
    term.loadAddon(new UnicodeGraphemesAddon())
    term.loadAddon(new WebLinksAddon((event, uri) => (event.ctrlKey || event.metaKey) && /^https?:/.test(uri) && window.open(uri, '_blank', 'noopener,noreferrer')))
    // Programs may write the clipboard, never read it.
    term.loadAddon(new ClipboardAddon(undefined, { readText: async () => '', writeText: async (_selection, text) => navigator.clipboard.writeText(text) }))
    // Links by escape sequence open like the ones found in the text: http only, and with Ctrl.
    term.options.linkHandler = { activate: (event, uri) => (event.ctrlKey || event.metaKey) && /^https?:/.test(uri) && window.open(uri, '_blank', 'noopener,noreferrer') }
    term.open(screen)
    this.refit()
    void this.useGraphics(term)
    this.keys(term)
    bindSearch(this, term, this.search)
    bindPhoneInput(this, term, (keys) => this.connection?.send('0', keys))
    term.onData((text) => this.connection?.send('0', text))
    term.onBinary((text) =>
      this.connection?.send(
        '0',
        Uint8Array.from(text, (char) => char.charCodeAt(0)),
      ),
    )
    term.onResize(({ cols, rows }) => {
      this.connection?.send('1', JSON.stringify({ columns: cols, rows }))
      this.show('size', `${cols} × ${rows}`)
    })
    this.observer = new ResizeObserver(() => {
      clearTimeout(this.fitTimer)
      this.fitTimer = window.setTimeout(() => this.refit(), 60)
    })
    this.observer.observe(this)
    this.connect(term)
    term.focus()
  }

  // A move inside the page keeps everything.
  connectedMoveCallback(): void {}

  disconnectedCallback(): void {
    setTimeout(() => !this.isConnected && this.dispose())
  }

  private dispose(): void {
    this.connection?.close()
    this.observer?.disconnect()
    this.term?.dispose()
    this.term = undefined
  }

  private connect(term: Terminal): void {
    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/${this.getAttribute('session')}`
    this.connection = new TerminalConnection(url, {
      size: () => ({ columns: term.cols, rows: term.rows }),
      output: (bytes) => this.output(term, bytes),
      status: (status) => this.status(term, status),
      state: (state) => this.link(term, state),
    })
    this.show('size', `${term.cols} × ${term.rows}`)
  }

  private output(term: Terminal, bytes: Uint8Array): void {
    this.pending += bytes.length
    if (!this.paused && this.pending > HIGH_BYTES) {
      this.paused = true
      this.connection?.send('2')
    }
    term.write(bytes, () => {
      this.pending -= bytes.length
      if (this.paused && this.pending < LOW_BYTES) {
        this.paused = false
        this.connection?.send('3')
      }
    })
  }

  private status(term: Terminal, status: TerminalStatus): void {
    if (status.reset) term.reset()
    if (status.skipped > 0) term.write(`\x1b[2m… ${status.skipped} bytes skipped …\x1b[0m\r\n`)
    this.show('viewers', status.viewers > 1 ? `${status.viewers} tabs` : '')
    if (status.state !== 'live') this.show('link', 'Waiting for the agent')
  }

  private link(term: Terminal, state: LinkState): void {
    this.dataset.link = state.kind
    if (state.kind === 'closed' && state.signedOut) return location.assign('/login')
    const words = { connecting: 'Connecting', connected: 'Connected', waiting: 'Reconnecting', closed: 'Closed' }
    this.show('link', state.kind === 'waiting' ? `Reconnecting in ${state.seconds} s` : words[state.kind])
    const dot = document.querySelector<HTMLElement>('[data-term="dot"]')
    if (dot) dot.dataset.tone = state.kind === 'connected' ? 'ok' : state.kind === 'closed' ? 'bad' : 'warn'
    if (state.kind === 'closed') term.write(`\r\n\x1b[33m${state.reason}\x1b[0m\r\n`)
    if (state.kind === 'connecting') {
      this.pending = 0
      this.paused = false
    }
  }

  private show(name: string, text: string): void {
    const element = document.querySelector(`[data-term="${name}"]`)
    if (element) element.textContent = text
  }

  private refit(): void {
    if (this.offsetWidth === 0 || this.offsetHeight === 0) return
    this.fit.fit()
  }

  private keys(term: Terminal): void {
    term.attachCustomKeyEventHandler((event) => {
      if (event.type !== 'keydown' || !event.ctrlKey) return true
      if (event.shiftKey && event.code === 'KeyC') {
        void navigator.clipboard.writeText(term.getSelection())
        event.preventDefault()
        return false
      }
      if (event.shiftKey && event.code === 'KeyV') return false
      if (event.shiftKey && event.code === 'KeyF') {
        this.dispatchEvent(new CustomEvent('find'))
        event.preventDefault()
        return false
      }
      if (event.key === '=' || event.key === '+' || event.key === '-') {
        const size = Math.max(8, Math.min(32, (term.options.fontSize ?? 13) + (event.key === '-' ? -1 : 1)))
        term.options.fontSize = size
        localStorage.setItem(FONT_KEY, String(size))
        this.refit()
        event.preventDefault()
        return false
      }
      return true
    })
  }

  // A software renderer is slower than the DOM: use the GPU only where there is one.
  private async useGraphics(term: Terminal): Promise<void> {
    const gl = document.createElement('canvas').getContext('webgl2')
    const debug = gl?.getExtension('WEBGL_debug_renderer_info')
    const name = gl && debug ? String(gl.getParameter(debug.UNMASKED_RENDERER_WEBGL)) : ''
    gl?.getExtension('WEBGL_lose_context')?.loseContext()
    if (!gl || /swiftshader|llvmpipe|software|basic render/i.test(name)) return
    const { WebglAddon } = await import('@xterm/addon-webgl')
    if (this.term !== term) return
    const addon = new WebglAddon()
    addon.onContextLoss(() => {
      addon.dispose()
      this.refit()
    })
    term.loadAddon(addon)
    this.refit()
  }
}

if (!customElements.get('x-term')) customElements.define('x-term', TerminalElement)
