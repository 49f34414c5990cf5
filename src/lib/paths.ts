// Relative file paths as the product accepts them: byte for byte, but never out of their folder.
import { AppError } from './errors.ts'

declare const relativePath: unique symbol

/** A path below some folder, with "/" between its parts, that cannot leave it. */
export type RelativePath = string & { readonly [relativePath]: true }

// PostgreSQL finds paths by an index whose entries hold at most 2 704 bytes.
const MAX_BYTES = 2560
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

/** Last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The folder that holds a path; '' for the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** How many parts a path has; 0 for the top folder ''. */
export function depthOf(path: string): number {
  return path === '' ? 0 : path.split('/').length
}

/** Whether `path` lies below `folder`, at any depth; everything lies below ''. A folder is not below itself. */
export function isBelow(path: string, folder: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(`${folder}/`)
}

const UNWANTED = /[\r\n\\]/
const DRIVE = /^[A-Za-z]:/
const LITERAL = /^(?:[^%]|%[0-9A-F]{2})*$/

/**
 * How a file name of a Unix disk is written in a path. Nearly all names stay as they are; one that no path may hold (bytes
 * that are not UTF-8, line ends, backslashes, or a drive letter where it comes `first`) has those bytes and its "%" as %XX. A
 * name that already looks like that is escaped once more, so that `unescapeName` always finds the one name back.
 */
export function escapeName(name: string | Uint8Array, first: boolean): string {
  const text = typeof name === 'string' ? name : utf8(name)
  if (text !== undefined && !isUnwanted(text, first) && !looksEscaped(text, first)) return text
  const escaped = text === undefined ? escapeBytes(name as Uint8Array) : text.replace(/[\r\n\\%]/g, (char) => percent(char.charCodeAt(0)))
  return first && DRIVE.test(escaped) ? `${escaped.slice(0, 1)}%3A${escaped.slice(2)}` : escaped
}

/** The name on the disk; bytes only when it is not UTF-8. */
export function unescapeName(written: string, first: boolean): string | Uint8Array {
  return looksEscaped(written, first) ? decoded(written) : written
}

function isUnwanted(text: string, first: boolean): boolean {
  return UNWANTED.test(text) || (first && DRIVE.test(text))
}

// Only what `escapeName` itself makes counts: `100%.txt` and `%41.txt` are plain names.
function looksEscaped(text: string, first: boolean): boolean {
  if (!text.includes('%') || !LITERAL.test(text)) return false
  const name = decoded(text)
  if (typeof name === 'string' && !isUnwanted(name, first) && !looksEscaped(name, first)) return false
  return escapeName(name, first) === text
}

function decoded(text: string): string | Uint8Array {
  const parts = text.split(/(%[0-9A-F]{2})/)
  const bytes = Buffer.concat(parts.map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part))))
  return utf8(bytes) ?? bytes
}

function escapeBytes(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.byteLength; ) {
    // The shortest run of 1 to 4 bytes that is UTF-8 by itself is one character.
    const length = [1, 2, 3, 4].find((count) => at + count <= bytes.byteLength && utf8(bytes.subarray(at, at + count)) !== undefined)
    const char = length === undefined ? '' : utf8(bytes.subarray(at, at + length))
    text += char && !/[\r\n\\%]/.test(char) ? char : percent(bytes[at] ?? 0)
    at += length ?? 1
  }
  return text
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    // ignoreBOM keeps a leading U+FEFF, which is a legal part of a name.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
