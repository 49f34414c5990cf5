// The port to whatever holds the PTY: one connection per agent, bytes both ways. Adapters: dtach.ts, ttyd.ts.
import type { TerminalAddress } from '../runtime/runtime.ts'

export interface TerminalSize {
  columns: number
  rows: number
}

/** What an upstream tells its owner. */
export interface UpstreamSink {
  /** Output bytes of the PTY. Only valid during the call: their memory is freed behind it. */
  data(bytes: Uint8Array): void
  /** Input that had to wait was taken. */
  taken(): void
  /** The connection ended; no more calls follow. `lost` means that dialling again may help. */
  closed(why: 'ended' | 'lost', detail: string): void
}

export interface Upstream {
  /** Bytes of input that the other side has not taken yet. */
  readonly queuedBytes: number
  /** Sends keystrokes. Never waits behind output. */
  write(bytes: Uint8Array): void
  resize(size: TerminalSize): void
  /** Asks the program to paint its screen again, after output was skipped. */
  redraw(): void
  /** Stops reading output, so that the program is held back by its PTY. */
  pause(): void
  resume(): void
  close(): void
}

/** Opens an upstream within `timeoutMs`; rejects with AppError `unavailable`. */
export type OpenUpstream = (address: TerminalAddress, size: TerminalSize, sink: UpstreamSink, timeoutMs: number) => Promise<Upstream>
