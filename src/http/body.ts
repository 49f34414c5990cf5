// Reading request bodies: bounded in size, time, depth and type, before any schema sees them.
import { AppError } from '../lib/errors.ts'

const MAX_BODY_BYTES = 1024 * 1024
const MAX_DEPTH = 32
const MAX_KEYS = 1000
const STALL_MS = 30_000

/** Body of a JSON or form request, parsed; undefined without one. Throws 400, 408-like 400, 413 or 415. */
export async function readBody(request: Request): Promise<unknown> {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const empty = request.headers.get('content-length') === '0' || request.body === null
  if (request.headers.get('content-encoding')) throw unsupported('Send the body without compression.')
  if (type === 'application/x-www-form-urlencoded') return parseForm(await readText(request))
  if (type === 'application/json') return parseJson(await readText(request))
  if (empty) return undefined
  throw unsupported('Send application/json.')
}

async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  while (reader) {
    const { done, value } = await Promise.race([reader.read(), stalled()])
    if (done) break
    size += value.byteLength
    if (size > MAX_BODY_BYTES) {
      void reader.cancel()
      throw tooLarge()
    }
    chunks.push(value)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw invalidJson('The body is not valid UTF-8.', cause)
  }
}

function stalled(): Promise<never> {
  return new Promise((_resolve, reject) => {
    setTimeout(() => reject(new AppError('malformed', 'request_timeout', 'The request body did not arrive in time.')), STALL_MS).unref?.()
  })
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
    if (key === '__proto__' || key === 'constructor' || key === 'prototype' || ++counted.keys > MAX_KEYS) {
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
    if (key === '__proto__' || ++keys > MAX_KEYS) throw new AppError('invalid', 'unknown_field', 'The form holds fields that are not known here.')
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
