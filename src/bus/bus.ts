// Facts that cross features and replicas: ids and sequence numbers only. Rows are truth; losing a fact loses nothing.

/** What may be announced. Receivers read the rows again, with the reader's own rights. */
export type AppEvent =
  | { kind: 'output.changed'; userId: number; agentId: number; seq: number }
  | { kind: 'session.changed'; userId: number; agentId: number; sessionId: string }
  | { kind: 'agent.changed'; userId: number; agentId: number }
  | { kind: 'manifest.changed'; userId: number; agentId: number }
  | { kind: 'logins.ended'; userId: number; loginIds: string[] }
  | { kind: 'rollout.changed'; userId: number; rolloutId: number }

export interface Bus {
  /** Announces a fact to every replica. Never throws and never blocks the caller for long. */
  publish(event: AppEvent): Promise<void>
  /** Hears every fact. Returns the way to unsubscribe. */
  subscribe(listener: (event: AppEvent) => void): () => void
  [Symbol.asyncDispose](): Promise<void>
}

/** A fact that came from outside of this process; undefined for anything that is none, and without what a fact does not hold. */
export function eventOf(value: unknown): AppEvent | undefined {
  const { kind, userId, agentId, seq, sessionId, loginIds, rolloutId } = (value ?? {}) as Record<string, unknown>
  if (!isId(userId)) return undefined
  switch (kind) {
    case 'output.changed':
      return isId(agentId) && isId(seq) ? { kind, userId, agentId, seq } : undefined
    case 'session.changed':
      return isId(agentId) && typeof sessionId === 'string' ? { kind, userId, agentId, sessionId } : undefined
    case 'agent.changed':
    case 'manifest.changed':
      return isId(agentId) ? { kind, userId, agentId } : undefined
    case 'logins.ended':
      return Array.isArray(loginIds) && loginIds.every((id) => typeof id === 'string') ? { kind, userId, loginIds } : undefined
    case 'rollout.changed':
      return isId(rolloutId) ? { kind, userId, rolloutId } : undefined
    default:
      return undefined
  }
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
