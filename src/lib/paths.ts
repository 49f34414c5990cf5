// Relative file paths as the product accepts them: byte for byte, but never out of their folder.
import { AppError } from './errors.ts'

declare const relativePath: unique symbol

/** A path below some folder, with "/" between its parts, that cannot leave it. */
export type RelativePath = string & { readonly [relativePath]: true }

const MAX_BYTES = 4096
const MAX_PART_BYTES = 255
const MAX_DEPTH = 64

/** Why a path is refused, or undefined. Names are not normalised: two spellings of one character are two files. */
export function pathProblem(text: string): string | undefined {
  if (text === '') return 'A path is missing.'
  if (Buffer.byteLength(text) > MAX_BYTES) return 'This path is too long.'
  if (/[\0\r\n]/.test(text) || !text.isWellFormed()) return 'A path holds no control characters like NUL or line ends.'
  if (text.includes('\\')) return 'Use “/” between folders.'
  if (/^[A-Za-z]:/.test(text)) return 'A path has no drive letter.'
  const parts = text.split('/')
  if (parts.length > MAX_DEPTH) return 'This path is too deep.'
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return 'A path has no empty parts and no “.” or “..”.'
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) return 'A name in this path is too long.'
  return undefined
}

export const RelativePath = {
  /** The path, or AppError `invalid` `invalid_path`. */
  parse(text: string): RelativePath {
    const problem = pathProblem(text)
    if (problem) throw new AppError('invalid', 'invalid_path', problem, { fields: { path: problem } })
    return text as RelativePath
  },
}
