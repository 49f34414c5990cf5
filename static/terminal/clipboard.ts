// Copying. Programs may write the clipboard (OSC 52) while somebody works in the terminal; they can never read it.
import type { IDisposable, Terminal } from '@xterm/xterm'

const MAX_CHARACTERS = 1024 * 1024
const EMPTY = '\x1b]52;c;\x1b\\'

/** Tells the page what was copied, or that a program wants to copy. */
export type CopyListener = (event: { kind: 'copied' | 'asked' | 'failed'; text: string }) => void

/** Handles OSC 52. A question (`?`) is answered by `answer` as an empty clipboard, whatever is in it. */
export function handleClipboard(term: Terminal, focused: () => boolean, answer: (reply: string) => void, tell: CopyListener): IDisposable {
  return term.parser.registerOscHandler(52, (data) => {
    const encoded = data.slice(data.indexOf(';') + 1)
    if (encoded === '?') answer(EMPTY)
    const text = encoded === '?' || encoded.length > MAX_CHARACTERS ? undefined : decoded(encoded)
    if (!text) return true
    // Without a key or click of the last seconds nobody has asked for it: the page offers it instead.
    const active = focused() && navigator.userActivation?.isActive !== false
    if (active) void copy(text, tell)
    else tell({ kind: 'asked', text })
    return true
  })
}

/** Writes the clipboard and tells how it went. */
export async function copy(text: string, tell: CopyListener): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    tell({ kind: 'copied', text })
  } catch {
    tell({ kind: 'failed', text })
  }
}

function decoded(base64: string): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)))
  } catch {
    // @NOTE not base64: nothing that could be copied.
    return undefined
  }
}
