// What a system says about a sandbox, made fit to be kept and shown: bounded, and without anything secret.
import { redact } from './logger.ts'

const LONGEST = 4000
// A shorter value says little to whoever finds it, and would tear holes into every sentence.
const SHORTEST_SECRET = 6

/** The text without these values, in any spelling that a system may quote them in, and without what looks like a credential. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spellings = secrets
    .filter((secret) => secret.trim().length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), btoaUtf8(secret), encodeURIComponent(secret.toWellFormed())])
  // The longest first: one secret may be a part of another.
  const cleaned = [...new Set(spellings)].sort((one, other) => other.length - one.length).reduce((rest, spelling) => rest.replaceAll(spelling, '[hidden]'), text)
  // Twice the length: what is taken out of the first half makes room for what follows.
  return redact(cleaned.slice(0, 2 * LONGEST)).slice(0, LONGEST)
}

/** The system's own words in an error: those of the deepest cause that has any. */
export function wordsOf(error: unknown): string | undefined {
  let deepest: string | undefined
  let at = error
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    deepest = at.message || deepest
    at = at.cause
  }
  return deepest
}

function btoaUtf8(text: string): string {
  return Buffer.from(text.toWellFormed()).toString('base64')
}
