// Many small changes in one request: how a pack is read, and what is answered to each of its changes.
import { STATUS, toAppError } from '../http/errors.ts'
import { AppError } from '../lib/errors.ts'
import type { SmallChange } from '../workspace/output-small.ts'
import type { Applied } from '../workspace/outputs.ts'
import { PACK_BYTES, PACK_CHANGES, type PackEntry, type PackOutcome } from './contract.ts'

const LINE_END = 10

/** The bytes of a pack. Throws before anything is read when the length is not told or too much. */
export async function packOf(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const size = Number(request.headers.get('content-length') ?? Number.NaN)
  if (!Number.isSafeInteger(size) || size < 0) throw new AppError('malformed', 'length_required', 'Send a Content-Length.')
  if (size > PACK_BYTES) throw new AppError('too_large', 'pack_too_large', 'This pack is too large. Send its files one by one.')
  return new Uint8Array(await request.arrayBuffer())
}

/** The changes in a pack; files look into its bytes. Throws `invalid_pack` or `length_mismatch`; what a change itself may be is not judged here. */
export function unpack(bytes: Uint8Array): SmallChange[] {
  const end = bytes.indexOf(LINE_END)
  const entries = entriesIn(bytes.subarray(0, Math.max(0, end)))
  let at = end + 1
  const changes = entries.map((entry): SmallChange => {
    if (entry.length === 1) return { path: entry[0] }
    const [path, sha256, size] = entry
    const from = at
    at += size
    return { path, sha256, bytes: bytes.subarray(from, at) }
  })
  if (at !== bytes.byteLength) throw new AppError('malformed', 'length_mismatch', 'The files of this pack are not as long as it says. Nothing was changed.')
  return changes
}

/** The answer to one change. */
export function outcomeOf(result: PromiseSettledResult<Applied>): { outcome: PackOutcome; failure?: AppError } {
  if (result.status === 'fulfilled') {
    const { seq, changed, created } = result.value
    return { outcome: { status: created ? 201 : 200, seq, ...(changed ? {} : { duplicate: true }) } }
  }
  const failure = toAppError(result.reason)
  const { kind, code, retryAfterS } = failure
  return { outcome: { status: STATUS[kind], code, ...(retryAfterS === undefined ? {} : { retry_after_s: retryAfterS }) }, failure }
}

function entriesIn(line: Uint8Array): PackEntry[] {
  const entries = parsed(line)
  if (!Array.isArray(entries) || entries.length === 0 || !entries.every(isEntry)) throw invalid('A pack begins with one line of JSON, a list of its changes.')
  if (entries.length > PACK_CHANGES) throw invalid(`A pack holds at most ${PACK_CHANGES} changes.`)
  if (new Set(entries.map(([path]) => path)).size < entries.length) throw invalid('A path is in this pack twice.')
  return entries
}

function parsed(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line))
  } catch {
    return undefined
  }
}

function isEntry(entry: unknown): entry is PackEntry {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false
  if (entry.length === 1) return true
  return entry.length === 3 && typeof entry[1] === 'string' && /^[0-9a-f]{64}$/.test(entry[1]) && Number.isSafeInteger(entry[2]) && entry[2] >= 0
}

function invalid(message: string): AppError {
  return new AppError('invalid', 'invalid_pack', message)
}
