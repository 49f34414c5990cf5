// The terminal's wire format, ttyd's own: one type byte, then bytes or JSON. Pure.
import type { TerminalSize } from './upstream.ts'

export const INPUT = 0x30
export const OUTPUT = 0x30
export const RESIZE = 0x31
export const TITLE = 0x31
export const PAUSE = 0x32
export const RESUME = 0x33
/** Our one addition: a JSON status for the page. */
export const STATUS = 0x73
const HELLO = 0x7b

export const CLOSE = {
  normal: 1000,
  protocol: 1003,
  tooBig: 1009,
  policy: 1008,
  fault: 1011,
  restart: 1012,
  signedOut: 4401,
  forbidden: 4403,
  gone: 4404,
  idle: 4408,
  tooMany: 4429,
} as const

/** The first frame of a client. `resume` names the stream and the offset that it has seen. */
export interface Hello {
  size: TerminalSize
  resume?: { stream: string; offset: number }
}

/** A frame of a client; `ignored` is a size that no terminal can have. */
export type ClientFrame = { kind: 'input'; bytes: Uint8Array } | { kind: 'resize'; size: TerminalSize } | { kind: 'pause' } | { kind: 'resume' } | { kind: 'ignored' }

/** A frame that breaks the protocol: the socket is closed with this code. */
export interface BadFrame {
  kind: 'bad'
  code: number
  why: string
}

/** What the page is told about the stream. */
export interface StatusFrame {
  stream: string
  /** Offset of the next output byte. */
  offset: number
  /** Offset behind the newest byte of the terminal: what comes before it was written earlier and asks nobody any more. */
  end: number
  /** Bytes that this client will never see. */
  skipped: number
  /** True when the client must clear its screen before the bytes that follow. */
  reset: boolean
  role: 'writer'
  viewers: number
  /** Names this connection; one that replaces it says so by `?replaces=`, and this one is closed. */
  seat: string
  /** Bytes of input of this connection that the program has taken, at the last count: a page sends one window ahead of it. */
  typed: number
  state: 'connecting' | 'live' | 'ended'
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** Reads the first frame: `{"AuthToken","columns","rows","resume"?}`. */
export function parseHello(frame: Uint8Array): Hello | BadFrame {
  if (frame[0] !== HELLO) return bad('the first frame must be the JSON greeting')
  const json = parseJson(frame)
  const size = json && sizeOf(json)
  if (!size) return bad('the greeting is not valid')
  const { stream, offset } = (json.resume ?? {}) as { stream?: unknown; offset?: unknown }
  const known = typeof stream === 'string' && typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0
  return known ? { size, resume: { stream, offset } } : { size }
}

/** Reads any later frame. Input is never looked into: pasted JSON is input like everything else. */
export function parseClientFrame(frame: Uint8Array): ClientFrame | BadFrame {
  switch (frame[0]) {
    case INPUT:
      return { kind: 'input', bytes: frame.subarray(1) }
    case RESIZE: {
      const json = parseJson(frame.subarray(1))
      if (!json) return bad('the size is not valid JSON')
      const size = sizeOf(json)
      return size ? { kind: 'resize', size } : { kind: 'ignored' }
    }
    case PAUSE:
      return { kind: 'pause' }
    case RESUME:
      return { kind: 'resume' }
    default:
      return bad('unknown frame type')
  }
}

/** Output bytes behind their type byte. */
export function outputFrame(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.byteLength + 1)
  frame[0] = OUTPUT
  frame.set(bytes, 1)
  return frame
}

export function statusFrame(status: StatusFrame): Uint8Array {
  return encoder.encode(String.fromCharCode(STATUS) + JSON.stringify(status))
}

function parseJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

// Hostile sizes are brought into a sane window instead of reaching the PTY.
function sizeOf({ columns, rows }: Record<string, unknown>): TerminalSize | undefined {
  if (typeof columns !== 'number' || typeof rows !== 'number') return undefined
  const clamp = (value: number, min: number, max: number) => Math.max(min, Math.min(max, Math.floor(value)))
  return { columns: clamp(columns, 2, 500), rows: clamp(rows, 1, 200) }
}

function bad(why: string): BadFrame {
  return { kind: 'bad', code: CLOSE.protocol, why }
}
