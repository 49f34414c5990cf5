// Links in the output. What they show and where they lead may differ: a plain click asks with the whole address.
import { WebLinksAddon } from '@xterm/addon-web-links'
import type { Terminal } from '@xterm/xterm'

/** Makes http and https addresses, and links by escape sequence to them, open in another tab. */
export function handleLinks(term: Terminal, ask: (address: string) => Promise<boolean>): void {
  const activate = (event: MouseEvent, address: string) => {
    if (!/^https?:\/\//i.test(address)) return
    if (event.ctrlKey || event.metaKey) return openLink(address)
    void ask(address).then((yes) => yes && openLink(address))
  }
  term.loadAddon(new WebLinksAddon(activate))
  term.options.linkHandler = { activate }
}

function openLink(address: string): void {
  window.open(address, '_blank', 'noopener,noreferrer')
}
