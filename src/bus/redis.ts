// The bus of several replicas: Redis pub/sub carries hints, listeners in this process hear their own at once.
import { Redis } from 'ioredis'
import { randomToken } from '../lib/crypto.ts'
import type { Logger } from '../lib/logger.ts'
import { type AppEvent, type Bus, eventOf } from './bus.ts'

const PREFIX = 'sac:'
const MAX_MESSAGE_CHARS = 16 * 1024

/** Channel of a fact, as scripts and operators see it. */
export function channelOf(event: AppEvent): string {
  switch (event.kind) {
    case 'output.changed':
      return `${PREFIX}output:${event.userId}:${event.agentId}`
    case 'session.changed':
      return `${PREFIX}session:${event.userId}:${event.agentId}`
    case 'agent.changed':
      return `${PREFIX}status:${event.userId}:${event.agentId}`
    case 'manifest.changed':
      return `${PREFIX}manifest:${event.userId}:${event.agentId}`
    case 'logins.ended':
      return `${PREFIX}logins:${event.userId}`
    case 'rollout.changed':
      return `${PREFIX}rollout:${event.rolloutId}`
  }
}

/** Publishes through Redis without ever failing the caller; an outage costs hints only, since readers poll rows. */
export class RedisBus implements Bus {
  /** Messages that were no facts, and were thrown away. */
  dropped = 0
  private readonly listeners = new Set<(event: AppEvent) => void>()
  private readonly publisher: Redis
  private readonly subscriber: Redis
  private readonly origin = randomToken(9)
  private down = false

  constructor(
    url: string,
    private readonly logger: Logger,
  ) {
    const retryStrategy = (tries: number) => Math.min(100 * 2 ** tries, 5000)
    this.publisher = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 300, retryStrategy })
    this.subscriber = new Redis(url, { maxRetriesPerRequest: null, retryStrategy })
    for (const client of [this.publisher, this.subscriber]) {
      client.on('error', (error: Error) => this.report(error))
      client.on('ready', () => this.recovered())
    }
    this.subscriber.on('pmessage', (_pattern: string, _channel: string, text: string) => this.receive(text))
    void this.subscriber.psubscribe(`${PREFIX}*`).catch((error: Error) => this.report(error))
  }

  /** Whether facts cross between portals now. */
  get isConnected(): boolean {
    return this.publisher.status === 'ready' && this.subscriber.status === 'ready'
  }

  async publish(event: AppEvent): Promise<void> {
    queueMicrotask(() => this.deliver(event))
    // @NOTE going on without Redis: other replicas find the change when they poll the rows.
    await this.publisher.publish(channelOf(event), JSON.stringify({ origin: this.origin, event })).catch((error: Error) => this.report(error))
  }

  subscribe(listener: (event: AppEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listeners.clear()
    this.publisher.disconnect()
    this.subscriber.disconnect()
  }

  private receive(text: string): void {
    const message = text.length > MAX_MESSAGE_CHARS ? undefined : messageOf(text)
    if (!message) {
      // @NOTE whoever may publish to this Redis is not to be believed: what is no fact is dropped.
      if (this.dropped++ === 0) this.logger.warn('a message on Redis was not understood and dropped; further ones are only counted', { chars: text.length })
    } else if (message.origin !== this.origin) this.deliver(message.event)
  }

  private deliver(event: AppEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  private report(error: Error): void {
    if (!this.down) this.logger.warn('Redis cannot be reached; live updates fall back to polling', { error: error.message })
    this.down = true
  }

  private recovered(): void {
    if (!this.isConnected) return
    if (this.down) this.logger.info('Redis is back')
    this.down = false
  }
}

function messageOf(text: string): { origin: unknown; event: AppEvent } | undefined {
  try {
    const { origin, event } = (JSON.parse(text) ?? {}) as { origin?: unknown; event?: unknown }
    const fact = eventOf(event)
    return fact && { origin, event: fact }
  } catch {
    return undefined
  }
}
