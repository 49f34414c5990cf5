// The last 256 KiB of a terminal's output under absolute byte offsets, grown only as far as it is used.
import { OUTPUT } from './frames.ts'
import { TerminalModes } from './modes.ts'

export const RING_BYTES = 256 * 1024
const FIRST_BYTES = 2 * 1024
const CLEAN_SEARCH_BYTES = 16 * 1024
const ESCAPE = 0x1b
// A socket copies what it is given. One buffer for all frames keeps a flood from filling the heap with garbage.
const scratch = new Uint8Array(1 + RING_BYTES)
const NEWLINE = 0x0a

/** Replay ring. Offsets count every byte since the stream began; the ring holds [start, end). */
export class ReplayRing {
  /** Offset just behind the newest byte. */
  end = 0
  private buffer = new Uint8Array(0)
  private held = 0
  private forgotten?: TerminalModes
  private latest = { offset: 0, modes: new TerminalModes() }

  /** @param modes escapes of the modes that the program was in before the first byte that comes here. */
  constructor(modes: Uint8Array = new Uint8Array(0)) {
    if (modes.byteLength === 0) return
    this.forgotten = new TerminalModes()
    this.forgotten.feed(modes)
    this.latest.modes = this.forgotten.copy()
  }

  /** Offset of the oldest byte that is still here. */
  get start(): number {
    return this.end - this.held
  }

  append(bytes: Uint8Array): void {
    const lost = Math.max(0, this.held + bytes.byteLength - RING_BYTES)
    if (lost > 0) this.forget(lost, bytes)
    else if (this.held + bytes.byteLength > this.buffer.byteLength) this.grow(this.held + bytes.byteLength)
    const kept = bytes.subarray(Math.max(0, bytes.byteLength - RING_BYTES))
    this.put(kept, this.end + bytes.byteLength - kept.byteLength)
    this.end += bytes.byteLength
    this.held = Math.min(RING_BYTES, this.held + bytes.byteLength)
  }

  /** Copies what is there from `offset` on into `target`; returns how many bytes that were. */
  read(offset: number, target: Uint8Array): number {
    if (offset < this.start || offset > this.end) throw new RangeError(`offset ${offset} is not in [${this.start}, ${this.end}]`)
    const length = Math.min(target.byteLength, this.end - offset)
    if (length === 0) return 0
    const at = offset % this.buffer.byteLength
    const first = Math.min(length, this.buffer.byteLength - at)
    target.set(this.buffer.subarray(at, at + first))
    target.set(this.buffer.subarray(0, length - first), first)
    return length
  }

  /** An output frame of what is there from `offset` on, at most `limit` bytes. Only good until the next call for any ring. */
  frame(offset: number, limit = RING_BYTES): Uint8Array {
    const frame = scratch.subarray(0, 1 + Math.min(limit, this.end - offset))
    frame[0] = OUTPUT
    this.read(offset, frame.subarray(1))
    return frame
  }

  /** A copy of the bytes from `offset` (at least `start`) to the end. */
  from(offset: number): Uint8Array {
    const out = new Uint8Array(this.end - offset)
    this.read(offset, out)
    return out
  }

  /**
   * A good place to begin a replay, at or soon behind the start: behind a line's end, else at an escape sequence, else
   * at a whole UTF-8 character. `modes` are the escapes that bring a new screen into the state of that place.
   */
  cleanStart(): { offset: number; modes: Uint8Array } {
    if (this.start === 0 || !this.forgotten) return { offset: this.start, modes: this.forgotten?.escapes() ?? new Uint8Array(0) }
    const head = new Uint8Array(Math.min(CLEAN_SEARCH_BYTES, this.held))
    this.read(this.start, head)
    const cut = cleanCut(head)
    const modes = this.forgotten.copy()
    modes.feed(head.subarray(0, cut))
    return { offset: this.start + cut, modes: modes.escapes() }
  }

  /** Escapes of the modes at the end. Reads only what is new since the last call, at most the ring. */
  modesAtEnd(): Uint8Array {
    if (this.latest.offset < this.start && this.forgotten) this.latest = { offset: this.start, modes: this.forgotten.copy() }
    this.latest.modes.feed(this.from(this.latest.offset))
    this.latest.offset = this.end
    return this.latest.modes.escapes()
  }

  // What leaves the ring is remembered only for the modes that it switched.
  private forget(lost: number, bytes: Uint8Array): void {
    if (this.buffer.byteLength < RING_BYTES) this.grow(RING_BYTES)
    this.forgotten ??= new TerminalModes()
    const fromRing = Math.min(lost, this.held)
    const at = this.start % RING_BYTES
    this.forgotten.feed(this.buffer.subarray(at, Math.min(RING_BYTES, at + fromRing)))
    this.forgotten.feed(this.buffer.subarray(0, Math.max(0, at + fromRing - RING_BYTES)))
    this.forgotten.feed(bytes.subarray(0, lost - fromRing))
  }

  private put(bytes: Uint8Array, offset: number): void {
    if (bytes.byteLength === 0) return
    const at = offset % this.buffer.byteLength
    const first = Math.min(bytes.byteLength, this.buffer.byteLength - at)
    this.buffer.set(bytes.subarray(0, first), at)
    this.buffer.set(bytes.subarray(first), 0)
  }

  private grow(needed: number): void {
    const kept = this.from(this.start)
    const start = this.start
    this.buffer = new Uint8Array(Math.min(RING_BYTES, Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(needed)))))
    this.put(kept, start)
  }
}

function cleanCut(head: Uint8Array): number {
  const newline = head.indexOf(NEWLINE)
  if (newline >= 0) return newline + 1
  const sequence = head.indexOf(ESCAPE)
  if (sequence >= 0) return sequence
  const whole = head.findIndex((byte) => (byte & 0xc0) !== 0x80)
  return whole >= 0 && whole <= 3 ? whole : 0
}
