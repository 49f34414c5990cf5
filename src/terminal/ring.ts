// The last 256 KiB of a terminal's output under absolute byte offsets, grown only as far as it is used.

export const RING_BYTES = 256 * 1024
const FIRST_BYTES = 4 * 1024

/** Replay ring. Offsets count every byte since the stream began; the ring holds [start, end). */
export class ReplayRing {
  private buffer = new Uint8Array(0)
  /** Offset just behind the newest byte. */
  end = 0
  private held = 0

  /** Offset of the oldest byte that is still here. */
  get start(): number {
    return this.end - this.held
  }

  append(bytes: Uint8Array): void {
    const kept = bytes.byteLength > RING_BYTES ? bytes.subarray(bytes.byteLength - RING_BYTES) : bytes
    if (this.held + kept.byteLength > this.buffer.byteLength) this.grow(this.held + kept.byteLength)
    this.end += bytes.byteLength - kept.byteLength
    if (kept.byteLength !== bytes.byteLength) this.held = 0
    const size = this.buffer.byteLength
    const at = this.end % size
    const first = Math.min(kept.byteLength, size - at)
    this.buffer.set(kept.subarray(0, first), at)
    this.buffer.set(kept.subarray(first), 0)
    this.end += kept.byteLength
    this.held = Math.min(size, this.held + kept.byteLength)
  }

  /** A copy of the bytes from `offset` (at least `start`) to the end. */
  from(offset: number): Uint8Array {
    const begin = Math.max(offset, this.start)
    const out = new Uint8Array(Math.max(0, this.end - begin))
    if (out.byteLength === 0) return out
    const size = this.buffer.byteLength
    const at = begin % size
    const first = Math.min(out.byteLength, size - at)
    out.set(this.buffer.subarray(at, at + first))
    out.set(this.buffer.subarray(0, out.byteLength - first), first)
    return out
  }

  /** A good place to begin a replay at or after the start: behind a line end, so that no character or escape is cut. */
  cleanStart(): number {
    if (this.start === 0) return 0
    const head = this.from(this.start).subarray(0, 16 * 1024)
    const newline = head.indexOf(0x0a)
    return newline < 0 ? this.start : this.start + newline + 1
  }

  private grow(needed: number): void {
    const size = Math.min(RING_BYTES, Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(needed))))
    if (size <= this.buffer.byteLength) return
    const kept = this.from(this.start)
    this.buffer = new Uint8Array(size)
    const at = this.start % size
    const first = Math.min(kept.byteLength, size - at)
    this.buffer.set(kept.subarray(0, first), at)
    this.buffer.set(kept.subarray(first), 0)
  }
}
