// Names of objects in a cluster (RFC 1123). Pure.

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const MAX_NAME = 253

/** Why a text is no name of a class, a Secret or another object, or undefined. */
export function objectNameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME) return `A name has at most ${MAX_NAME} characters.`
  if (/[A-Z]/.test(text)) return 'A name is in lower case.'
  return text.split('.').every((label) => LABEL.test(label)) ? undefined : 'A name has small letters, digits, “-” and “.”, and begins and ends with a letter or a digit.'
}
