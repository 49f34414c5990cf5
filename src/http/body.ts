// Reading request bodies: bounded in size, time, depth and type, before any schema sees them.
import { AppError } from '../lib/errors.ts'

const MAX_BODY_BYTES = 1024 * 1024
const MAX_DEPTH = 32
const MAX_KEYS = 1000
const STALL_MS = 30_000
const MIN_BYTES_PER_S = 1024

/** Pages take forms, the API takes JSON; neither takes the other, so that no form of a foreign page reaches the API. */
export type BodyFormat = 'json' | 'form'

const TYPES: Record<BodyFormat, string> = { json: 'application/json', form: 'application/x-www-form-urlencoded' }

/** Body of a request, parsed; undefined without one. Throws 400, 408, 413, 415 or 422. */
export async function readBody(request: Request, format: BodyFormat): Promise<unknown> {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const empty = request.headers.get('content-length') === '0' || request.body === null
  if (request.headers.get('content-encoding')) throw unsupported('Send the body without compression.')
  if (type === TYPES[format]) return format === 'json' ? parseJson(await readText(request)) : parseForm(await readText(request))
  if (empty) return undefined
  throw unsupported(`Send ${TYPES[format]}.`)
}

async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Uint8Array[] = []
  const began = performance.now()
  let size = 0
  const reader = request.body?.getReader()
  while (reader) {
    const { done, value } = await inTime(reader.read())
    if (done) break
    size += value.byteLength
    if (size > MAX_BODY_BYTES || isTooSlow(size, performance.now() - began)) {
      void reader.cancel()
      throw size > MAX_BODY_BYTES ? tooLarge() : late()
    }
    chunks.push(value)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw invalidJson('The body is not valid UTF-8.', cause)
  }
}

async function inTime<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const stalled = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), STALL_MS)
  })
  return Promise.race([read, stalled]).finally(() => clearTimeout(timer))
}

/** A byte now and then is no progress either. */
function isTooSlow(size: number, ms: number): boolean {
  return ms > STALL_MS && size < ((ms - STALL_MS) / 1000) * MIN_BYTES_PER_S
}

function late(): AppError {
  return new AppError('malformed', 'request_timeout', 'The request body did not arrive in time.')
}

function parseJson(text: string): unknown {
  if (text.trim() === '') throw invalidJson('The body is empty.')
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalidJson('The body is not valid JSON.', cause)
  }
  refuseStrangeKeys(value)
  return value
}

// A flat scan before the parser recurses: thousands of nested arrays cost stack, not sense.
function checkDepth(text: string): void {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '[' || char === '{') {
      if (++depth > MAX_DEPTH) throw invalidJson('The body is nested too deeply.')
    } else if (char === ']' || char === '}') depth--
  }
}

function refuseStrangeKeys(value: unknown, counted = { keys: 0 }): void {
  if (value === null || typeof value !== 'object') return
  for (const key of Object.keys(value)) {
    // Names that every object has already (`__proto__`, `constructor`, `toString`): code that takes them for its own goes wrong.
    if (key in Object.prototype || ++counted.keys > MAX_KEYS) {
      throw new AppError('invalid', 'unknown_field', 'The body holds fields that are not known here.', {
        fields: { [key === '__proto__' ? 'proto' : key]: 'This field is not known here.' },
      })
    }
    refuseStrangeKeys((value as Record<string, unknown>)[key], counted)
  }
}

function parseForm(text: string): Record<string, string | string[]> {
  const form: Record<string, string | string[]> = {}
  let keys = 0
  for (const [key, value] of new URLSearchParams(text)) {
    if (key in Object.prototype || ++keys > MAX_KEYS) throw new AppError('invalid', 'unknown_field', 'The form holds fields that are not known here.')
    const present = Object.hasOwn(form, key) ? form[key] : undefined
    form[key] = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value]
  }
  return form
}

function tooLarge(): AppError {
  return new AppError('too_large', 'body_too_large', 'The request is larger than 1 MiB.')
}

function invalidJson(message: string, cause?: unknown): AppError {
  return new AppError('malformed', 'invalid_json', message, { cause })
}

function unsupported(message: string): AppError {
  return new AppError('unsupported', 'unsupported_media_type', message)
}
