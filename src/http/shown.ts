// What an open page shows, as a mark per part: the stream sends only what differs, whichever server answers.

const PART = /^([a-z][a-z-]{0,30})\.([\w-]{1,60})$/

const MAX_LENGTH = 600

/** Wire form of the marks; fits a query and the `id` of an event. */
export const SHOWN_PATTERN = `^[\\w.~-]{0,${MAX_LENGTH}}$`

/** News of one part of a page, by the id of its element; a stream's event may hold several. */
export function partial(target: string, swap: string, html: string): string {
  return `<hx-partial hx-target="#${target}" hx-swap="${swap}">${html}</hx-partial>`
}

/** Marks of the parts that a page shows. A part without a mark is unknown: it differs from anything. */
export class Shown {
  private constructor(private readonly marks: Map<string, string>) {}

  /** Of a page that shows these parts, by the id of their element. */
  static of(parts: Record<string, string>): Shown {
    const shown = new Shown(new Map())
    for (const [part, html] of Object.entries(parts)) shown.differs(part, html)
    return shown
  }

  /** From `toString`; anything else shows nothing. */
  static parse(text: string): Shown {
    const pairs = text
      .slice(0, MAX_LENGTH)
      .split('~')
      .flatMap((pair) => {
        const [, part, mark] = PART.exec(pair) ?? []
        return part && mark ? [[part, mark] as const] : []
      })
    return new Shown(new Map(pairs))
  }

  /** Whether the part shows something else than `html`. From now on it shows `html`. */
  differs(part: string, html: string): boolean {
    return this.becomes(part, Bun.hash(html).toString(36))
  }

  /** The same for a part that is told apart by a mark of its own. */
  becomes(part: string, mark: string): boolean {
    const before = this.marks.get(part)
    this.marks.set(part, mark)
    return before !== mark
  }

  toString(): string {
    return [...this.marks].map(([part, mark]) => `${part}.${mark}`).join('~')
  }
}
