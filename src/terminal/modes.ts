// Follows the modes that a program has switched (mouse, paste brackets, other screen), so that a shortened replay keeps them.

const ESCAPE = 0x1b
const BRACKET = 0x5b
const QUESTION = 0x3f
const SET = 0x68
const UNSET = 0x6c
const MAX_DIGITS = 6
const MAX_SEQUENCE = 64
// Private modes that outlive the bytes that set them; what a program sets and unsets within one frame is left out.
const KEPT = new Set([1, 7, 9, 25, 45, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 1047, 1049, 2004, 2031])
const SOFT_RESET = [1, 25, 66]

/** Reads output and knows the private modes (`CSI ? n h`, `CSI ? n l`) and the keypad mode at its end. */
export class TerminalModes {
  private modes = new Map<number, boolean>()
  private keypad?: '=' | '>'
  // The unfinished sequence behind its escape byte; undefined outside of one.
  private sequence?: string

  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at++) {
      if (this.sequence === undefined) {
        at = bytes.indexOf(ESCAPE, at)
        if (at < 0) return
        // Colours and moves of the cursor are most of what a program writes: they are told apart by two bytes.
        if (bytes[at + 1] === BRACKET && !isOfModes(bytes[at + 2])) at++
        else at = this.single(bytes, at)
      } else this.step(bytes[at] ?? 0)
    }
  }

  copy(): TerminalModes {
    const copy = new TerminalModes()
    copy.modes = new Map(this.modes)
    copy.keypad = this.keypad
    copy.sequence = this.sequence
    return copy
  }

  /** The escape sequences that switch a fresh terminal into these modes. */
  escapes(): Uint8Array {
    const switches = [...this.modes].map(([mode, on]) => `\u001b[?${mode}${on ? 'h' : 'l'}`)
    return new TextEncoder().encode(switches.join('') + (this.keypad ? `\u001b${this.keypad}` : ''))
  }

  private step(byte: number): void {
    if (byte === ESCAPE) this.sequence = ''
    else if (this.sequence === '' && byte !== BRACKET) {
      this.short(byte)
      this.sequence = undefined
    } else if (byte < 0x20 || byte > 0x7e || (this.sequence?.length ?? 0) > MAX_SEQUENCE) this.sequence = undefined
    else {
      this.sequence += String.fromCharCode(byte)
      if (byte >= 0x40 && this.sequence !== '[') this.finish()
    }
  }

  // The common case, one mode within one chunk; returns its last byte. Whatever else it may be goes byte by byte.
  private single(bytes: Uint8Array, begin: number): number {
    let mode = 0
    for (let at = begin + 3; at < begin + 3 + MAX_DIGITS; at++) {
      const byte = bytes[at] ?? 0
      if (byte >= 0x30 && byte <= 0x39) mode = mode * 10 + byte - 0x30
      else if ((byte === SET || byte === UNSET) && at > begin + 3 && bytes[begin + 1] === BRACKET && bytes[begin + 2] === QUESTION) {
        if (KEPT.has(mode)) this.set(mode, byte === SET)
        return at
      } else break
    }
    this.sequence = ''
    return begin
  }

  private short(byte: number): void {
    if (byte === 0x3d || byte === 0x3e) this.keypad = byte === 0x3d ? '=' : '>'
    if (byte === 0x63) this.reset()
  }

  private finish(): void {
    const [, numbers, final] = /^\[\?([\d;]+)([hl])$/.exec(this.sequence ?? '') ?? []
    if (numbers) for (const mode of numbers.split(';').map(Number)) if (KEPT.has(mode)) this.set(mode, final === 'h')
    if (this.sequence === '[!p') for (const mode of SOFT_RESET) this.modes.delete(mode)
    this.sequence = undefined
  }

  // The order of the last switches is kept: entering the other screen and clearing it comes where it came.
  private set(mode: number, on: boolean): void {
    this.modes.delete(mode)
    this.modes.set(mode, on)
  }

  private reset(): void {
    this.modes.clear()
    this.keypad = undefined
  }
}

// `CSI ?` and `CSI !`; what is behind the end of the chunk may be one of them.
function isOfModes(byte: number | undefined): boolean {
  return byte === undefined || byte === QUESTION || byte === 0x21
}
