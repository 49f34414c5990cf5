// What the sidecar and the server say to each other. Identity comes from the token alone.

export const INTERNAL_PATHS = {
  upload: '/api/internal/output/upload',
  remove: '/api/internal/output/delete',
  room: '/api/internal/output/room',
  conversations: '/api/internal/conversations/events',
  activity: '/api/internal/activity',
} as const

export const SHA256_HEADER = 'x-content-sha256'

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

/** Body of `activity`: what the CLI does now. */
export interface ActivityNotice {
  state: 'working' | 'waiting' | 'needs-you'
  detail?: string
}
