// The emulator of a terminal element, in the colours and the type of its place.
import { Terminal } from '@xterm/xterm'
import { paletteOf } from './palette.ts'

const SCROLLBACK_LINES = 5000

/** An emulator that is not in the page yet; `size` in pixels. */
export function createEmulator(place: HTMLElement, size: number): Terminal {
  return new Terminal({
    allowProposedApi: true,
    fontSize: size,
    fontFamily: getComputedStyle(place).getPropertyValue('--mono').trim() || 'monospace',
    lineHeight: 1.1,
    theme: paletteOf(place),
    scrollback: SCROLLBACK_LINES,
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    screenReaderMode: place.hasAttribute('screen-reader'),
    macOptionIsMeta: true,
    rightClickSelectsWord: false,
  })
}

/** The nearest size of text, in pixels, that is still readable and still a terminal. */
export function fontSize(wanted: number): number {
  return Math.max(9, Math.min(28, wanted))
}
