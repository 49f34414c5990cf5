// Characters of several code points, as people see them. A cell takes only so many: a browser needs minutes to draw one
// with tens of thousands of accents, and a program can write such a thing in a moment.
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes'
import type { ITerminalAddon, IUnicodeVersionProvider, Terminal } from '@xterm/xterm'

// Twice what the longest emoji has.
const MOST_JOINED = 24
const JOINS = 1

/** The addon for graphemes, with an end to every one of them. */
export class BoundedGraphemes implements ITerminalAddon {
  private readonly addon = new UnicodeGraphemesAddon()

  activate({ unicode }: Terminal): void {
    // Registering providers is all that the addon does with a terminal.
    const registry = {
      register: (provider: IUnicodeVersionProvider) => unicode.register(bounded(provider)),
      get activeVersion() {
        return unicode.activeVersion
      },
      set activeVersion(version: string) {
        unicode.activeVersion = version
      },
    }
    this.addon.activate({ unicode: registry } as unknown as Terminal)
  }

  dispose(): void {
    this.addon.dispose()
  }
}

/** Lets the next code point begin a cell of its own when one has joined enough of them. */
function bounded(provider: IUnicodeVersionProvider): IUnicodeVersionProvider {
  let joined = 0
  return {
    version: provider.version,
    wcwidth: (codepoint) => provider.wcwidth(codepoint),
    charProperties(codepoint, preceding) {
      const properties = provider.charProperties(codepoint, preceding)
      joined = properties & JOINS ? joined + 1 : 0
      if (joined <= MOST_JOINED) return properties
      joined = 0
      return provider.charProperties(codepoint, 0)
    },
  }
}
