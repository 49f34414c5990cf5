// What the sidecar and the server say to each other. Identity comes from the token alone.

export const INTERNAL_PATHS = {
  upload: '/api/internal/output/upload',
  pack: '/api/internal/output/pack',
  remove: '/api/internal/output/delete',
  room: '/api/internal/output/room',
  conversations: '/api/internal/conversations/events',
  activity: '/api/internal/activity',
  exposure: '/api/internal/exposure',
} as const

export const SHA256_HEADER = 'x-content-sha256'

/** The most changes that one pack holds. */
export const PACK_CHANGES = 32
/** The most bytes of a whole pack: that many small files and the line before them. */
export const PACK_BYTES = 4 * 1024 ** 2

/** A change in a pack: a file with its hash and size, or a path alone, which is to be removed. */
export type PackEntry = [path: string, sha256: string, size: number] | [path: string]

/** What became of one change: the status that a request for it alone would have had, and the error's machine word. */
export interface PackOutcome {
  status: number
  seq?: number
  duplicate?: true
  code?: string
  retry_after_s?: number
}

/**
 * Answer to a pack, one outcome for each change, in their order. A pack is one line of JSON (the entries), a line end, and the
 * bytes of its files, one after the other. Its changes have nothing to do with each other: some may be made and some refused.
 */
export interface PackAnswer {
  outcomes: PackOutcome[]
}

/** Answer to an upload or a delete. `duplicate` says that nothing changed. */
export interface StoreAnswer {
  seq: number
  duplicate?: true
}

/**
 * Statuses after which the sidecar gives a path up until it changes again; everything else is retried for ever.
 * 409 (a file where a folder is, or the reverse) is retried: the other half of the change is on its way.
 */
export const PERMANENT_STATUSES: readonly number[] = [400, 413, 422]
/** Statuses that mean that the sandbox token is no longer good: the sidecar ends itself. */
export const REVOKED_STATUSES: readonly number[] = [401]

/** What the hook tells the sidecar over the Unix socket, one JSON line a connection. */
export interface HookNotice {
  event: string
  transcriptPath?: string
  /** Short words for the agent's row, for example the tool in use or what is asked. */
  detail?: string
}

/** Whether a sandbox can reach what its network policy closes. */
export type Exposure = 'open' | 'closed'

/** Body of `exposure`: what several tries in a row have agreed on while the server answered. */
export interface ExposureNotice {
  network: Exposure
}

/** Body of `activity`: what the CLI does now. */
export interface ActivityNotice {
  state: 'working' | 'waiting' | 'needs-you'
  detail?: string
}
