// Facts that cross features and replicas: ids and sequence numbers only. Rows are truth; losing a fact loses nothing.

/** What may be announced. Receivers read the rows again, with the reader's own rights. */
export type AppEvent =
  | { kind: 'output.changed'; userId: number; agentId: number; seq: number }
  | { kind: 'session.changed'; userId: number; agentId: number; sessionId: string }
  | { kind: 'agent.changed'; userId: number; agentId: number }
  | { kind: 'manifest.changed'; userId: number; agentId: number }
  | { kind: 'logins.ended'; userId: number; loginIds: string[] }

export interface Bus {
  /** Announces a fact to every replica. Never throws and never blocks the caller for long. */
  publish(event: AppEvent): Promise<void>
  /** Hears every fact. Returns the way to unsubscribe. */
  subscribe(listener: (event: AppEvent) => void): () => void
  [Symbol.asyncDispose](): Promise<void>
}
