// A note over the terminal while it is not connected: why, what happens next, and a button if one helps.
import type { LinkState } from './connection.ts'

/** Says what the link is; nothing while it is connected or has just begun. */
export class Curtain {
  private readonly element = document.createElement('div')
  private readonly text = document.createElement('span')
  private readonly button = document.createElement('button')
  private timer = 0

  constructor(host: HTMLElement, retry: () => void) {
    this.element.className = 'term-curtain'
    this.element.setAttribute('role', 'status')
    this.element.hidden = true
    this.button.type = 'button'
    this.button.className = 'button small'
    this.button.addEventListener('click', retry)
    this.element.append(this.text, this.button)
    host.append(this.element)
  }

  show(state: LinkState): void {
    clearInterval(this.timer)
    if (state.kind === 'connected') this.element.hidden = true
    if (state.kind === 'waiting') this.countDown(state.seconds)
    // The first connection needs no words; a later one keeps the note until it is there.
    if (state.kind === 'connecting' && !this.element.hidden) this.say('Connecting again …')
    if (state.kind === 'closed') this.say(state.reason, state.again ? 'Connect again' : undefined)
  }

  private countDown(seconds: number): void {
    let left = seconds
    const say = () => this.say(`Connection lost. Your agent goes on working. Reconnecting in ${Math.max(1, left--)} s.`, 'Reconnect now')
    say()
    this.timer = window.setInterval(say, 1000)
  }

  private say(words: string, button?: string): void {
    this.element.hidden = false
    this.text.textContent = words
    this.button.hidden = button === undefined
    this.button.textContent = button ?? ''
  }
}
