// <x-term session="…">: an emulator on the terminal's socket, with its own life in the page.
import { FitAddon } from '@xterm/addon-fit'
import type { Terminal } from '@xterm/xterm'
import { type CopyListener, copy, handleClipboard } from './clipboard.ts'
import { type LinkState, type StreamStatus, TerminalConnection } from './connection.ts'
import { Curtain } from './curtain.ts'
import { createEmulator, fontSize } from './emulator.ts'
import { OutputFlow } from './flow.ts'
import { BoundedGraphemes } from './graphemes.ts'
import { useGraphics } from './graphics.ts'
import { handleLinks } from './links.ts'
import { controlOf, initPhoneInput, type KeyTarget, showLatch } from './phone-input.ts'
import { guardReplies } from './replies.ts'
import type { SearchBar } from './search.ts'

/** What a terminal tells about itself, by the event `x-term:news`. */
export interface TerminalNews {
  /** State of the connection in words. */
  link: string
  tone: 'ok' | 'warn' | 'bad'
  /** "96 × 44" */
  size: string
  /** "13 px" */
  font: string
  /** Open tabs that show this terminal. */
  viewers: number
  /** From the last key to the next output. */
  latencyMs?: number
}

/** What the page around gives to its terminals. */
export interface TerminalSurroundings {
  ask(question: { title: string; text: string; verb: string }): Promise<boolean>
  toast(note: { tone: 'ok' | 'warn' | 'bad'; title: string; text: string; icon?: string; action?: { word: string; run: () => void } }): void
  icon(name: string): SVGElement
  remembered: { get(key: string): string | null; set(key: string, value: string): void }
  toSignIn(): void
  /** The terminal that the page shows now. */
  current(): HTMLElement | null
}

let page: TerminalSurroundings

const FONT = 'terminal-font'
const FIT_AFTER_MS = 60
const ECHO_MS = 1000

/** Terminal element. It survives moves; one that stays outside the page ends. */
class XTerm extends HTMLElement implements KeyTarget {
  term?: Terminal
  news?: TerminalNews
  latched = false
  private readonly fit = new FitAddon()
  private connection?: TerminalConnection
  private flow?: OutputFlow
  private curtain?: Curtain
  private search?: SearchBar
  private observer?: ResizeObserver
  private fitTimer = 0
  // Pieces of the terminal's past that the emulator has not read yet: their questions are answered no more.
  private past = 0
  private typedAt = 0
  private drawn = false

  connectedCallback(): void {
    if (!this.hasChildNodes()) void this.begin()
  }

  // Being moved changes nothing; browsers without moves disconnect and connect, which the delay below bridges.
  connectedMoveCallback(): void {}

  disconnectedCallback(): void {
    setTimeout(() => !this.isConnected && this.end())
  }

  override focus(): void {
    this.term?.focus()
  }

  /** It is visible again: takes the size of its place and makes it the terminal's. */
  show(): void {
    this.refit()
    this.sendSize()
  }

  /** Opens the search bar; its code is loaded with the first search. */
  find(): void {
    const { term } = this
    if (!term || !this.news) return
    void import('./search.ts').then(({ SearchBar }) => {
      this.search ??= new SearchBar(this, term, page.icon)
      this.search.open()
    })
  }

  /** Makes the text larger or smaller, here and in every later terminal of this browser. */
  resizeText(by: number): void {
    if (!this.term) return
    const size = fontSize((this.term.options.fontSize ?? 13) + by)
    this.term.options.fontSize = size
    page.remembered.set(FONT, String(size))
    this.refit()
    this.tell({ font: `${size} px` })
  }

  // In several tasks: on a slow machine one would hold the page up for a noticeable time.
  private async begin(): Promise<void> {
    const screen = document.createElement('div')
    screen.className = 'term-screen'
    this.append(screen)
    await nextTask()
    if (screen.parentElement !== this) return
    const term = createEmulator(this, fontSize(Number(page.remembered.get(FONT)) || 13))
    this.term = term
    for (const step of [() => this.equip(term), () => term.open(screen), () => this.refit(), () => this.join(term)]) {
      await nextTask()
      if (this.term !== term) return
      step()
    }
  }

  private equip(term: Terminal): void {
    term.loadAddon(this.fit)
    term.loadAddon(new BoundedGraphemes())
    handleLinks(term, (address) => page.ask({ title: 'Open this link?', text: address, verb: 'Open link' }))
    const mayAnswer = () => this.past === 0 && (document.hasFocus() || (this.news?.viewers ?? 1) < 2)
    const answer = (reply: string) => {
      if (mayAnswer()) this.connection?.send('0', reply)
    }
    handleClipboard(term, () => this.contains(document.activeElement) && document.hasFocus(), answer, this.copied)
    guardReplies(term, mayAnswer)
  }

  // From here on the terminal is one: it has a size, a socket and the focus.
  private join(term: Terminal): void {
    this.curtain = new Curtain(this, () => this.connection?.retryNow())
    this.news = { link: 'Connecting', tone: 'warn', size: '', font: `${term.options.fontSize} px`, viewers: 1 }
    this.listen(term)
    this.connect(term)
    this.sendSize()
    if (this.dataset.focus !== undefined || (document.activeElement === document.body && matchMedia('(pointer: fine)').matches)) term.focus()
    delete this.dataset.focus
    whenIdle(
      () =>
        void useGraphics(
          term,
          () => this.refit(),
          () => this.term === term,
        ),
    )
  }

  private listen(term: Terminal): void {
    term.onData((text) => this.type(text))
    // Reports of the mouse in the old encoding are bytes, not text.
    term.onBinary((text) =>
      this.connection?.send(
        '0',
        Uint8Array.from(text, (char) => char.charCodeAt(0)),
      ),
    )
    term.onResize(() => this.sendSize())
    term.attachCustomKeyEventHandler((event) => this.key(event, term))
    this.observer = new ResizeObserver(() => {
      clearTimeout(this.fitTimer)
      this.fitTimer = window.setTimeout(() => this.refit(), FIT_AFTER_MS)
    })
    this.observer.observe(this)
  }

  private connect(term: Terminal): void {
    this.connection = new TerminalConnection(`/ws/${encodeURIComponent(this.getAttribute('session') ?? '')}`, {
      size: () => ({ columns: term.cols, rows: term.rows }),
      output: (bytes, past) => this.output(bytes, past),
      cut: (bytes) => page.toast({ tone: 'warn', title: 'The paste was cut off', text: `The connection went away before ${bytes.toLocaleString('en-GB')} bytes were sent.` }),
      status: (status) => this.status(term, status),
      state: (state) => this.link(state),
    })
    this.flow = new OutputFlow(term, (type) => this.connection?.send(type))
  }

  private end(): void {
    this.connection?.close()
    this.observer?.disconnect()
    clearTimeout(this.fitTimer)
    this.term?.dispose()
    this.term = undefined
    this.news = undefined
    this.replaceChildren()
  }

  private type(text: string): void {
    const control = this.latched && /^[a-z@[\]\\^_ ]$/i.test(text)
    if (this.latched) {
      this.latched = false
      showLatch(false)
    }
    this.typedAt = performance.now()
    this.connection?.send('0', control ? controlOf(text) : text)
  }

  private output(bytes: Uint8Array, past: boolean): void {
    const waited = performance.now() - this.typedAt
    if (this.typedAt > 0 && waited < ECHO_MS) this.tell({ latencyMs: Math.round(waited) })
    this.typedAt = 0
    this.drawn = true
    if (past) this.past++
    this.flow?.write(bytes, past ? () => this.past-- : undefined)
  }

  private status(term: Terminal, status: StreamStatus): void {
    if (status.reset) {
      // In order with the output around it, other than a call of reset(). A fresh one has nothing to clear.
      if (this.drawn) term.write('\x1bc')
    }
    if (status.skipped > 0) term.write(`\x1b[2m… ${status.skipped.toLocaleString('en-GB')} bytes were skipped to catch up …\x1b[0m\r\n`)
    this.tell({ viewers: status.viewers, ...(status.state === 'live' ? {} : { link: 'Waiting for the agent', tone: 'warn' }) })
    this.dataset.stream = status.state
  }

  private link(state: LinkState): void {
    this.dataset.link = state.kind
    this.curtain?.show(state)
    if (state.kind === 'closed' && state.signedOut) return page.toSignIn()
    if (state.kind === 'connecting') this.flow?.renewed()
    if (state.kind === 'connected') {
      if (this.dataset.stream === 'live') this.tell({ link: 'Connected', tone: 'ok' })
    } else if (state.kind === 'connecting') this.tell({ link: 'Connecting', tone: 'warn' })
    else if (state.kind === 'waiting') this.tell({ link: `Reconnecting in ${state.seconds} s`, tone: 'warn' })
    else this.tell({ link: 'Not connected', tone: 'bad' })
  }

  private tell(part: Partial<TerminalNews>): void {
    if (!this.news) return
    Object.assign(this.news, part)
    this.dispatchEvent(new CustomEvent('x-term:news', { bubbles: true }))
  }

  private refit(): void {
    // Without a size it is not on the page: the program keeps the one it has.
    if (this.offsetWidth > 0 && this.offsetHeight > 0) this.fit.fit()
  }

  private sendSize(): void {
    const { term } = this
    if (!term) return
    this.connection?.send('1', JSON.stringify({ columns: term.cols, rows: term.rows }))
    this.tell({ size: `${term.cols} × ${term.rows}` })
  }

  // Copy and paste; the page's own keys are taken in static/islands/shortcuts.ts before they come here.
  private key(event: KeyboardEvent, term: Terminal): boolean {
    if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey) return true
    if (event.code === 'KeyV') return false
    if (event.code !== 'KeyC') return true
    event.preventDefault()
    const text = term.getSelection()
    if (text) void copy(text, this.copied)
    return false
  }

  private readonly copied: CopyListener = ({ kind, text }) => {
    const what = `${text.length.toLocaleString('en-GB')} ${text.length === 1 ? 'character' : 'characters'}`
    if (kind === 'copied') page.toast({ tone: 'ok', title: 'Copied', text: what })
    else if (kind === 'asked') {
      page.toast({
        tone: 'warn',
        title: 'The agent wants to copy text',
        text: `${what} into your clipboard`,
        icon: 'copy',
        action: { word: 'Copy', run: () => void copy(text, this.copied) },
      })
    } else page.toast({ tone: 'bad', title: 'Not copied', text: 'The browser did not allow it.' })
  }
}

// A task of its own lets the browser draw and answer between two steps.
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

function whenIdle(work: () => void): void {
  if ('requestIdleCallback' in window) window.requestIdleCallback(work)
  else setTimeout(work, 200)
}

/** Defines the element. Terminals that are in the page already come to life. */
export function defineTerminal(surroundings: TerminalSurroundings): void {
  page = surroundings
  customElements.define('x-term', XTerm)
  initPhoneInput(() => {
    const terminal = page.current()
    return terminal instanceof XTerm ? terminal : null
  })
}
