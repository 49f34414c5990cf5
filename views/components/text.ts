// Text of people and agents inside attributes.
import { escapeHtml } from '@kitajs/html'

/**
 * Escapes text for an attribute. JSX escapes the quotes only, which is not enough: entities would be decoded, and htmx
 * rewrites `<hx-…` wherever it stands in an answer, which would end the attribute and begin others.
 */
export function quoted(text: string): string {
  return escapeHtml(text)
}

/** The first sentence of a text says what is the matter; the others say why, and what to do. */
export function headline(text: string): { title: string; rest: string } {
  const [title = '', ...others] = text.split(/(?<=\.)\s+/)
  return { title, rest: others.join(' ') }
}
