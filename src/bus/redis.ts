// The bus of several replicas: Redis pub/sub carries hints, listeners in this process hear their own at once.
import { Redis } from 'ioredis'
import { randomToken } from '../lib/crypto.ts'
import type { Logger } from '../lib/logger.ts'
import type { AppEvent, Bus } from './bus.ts'

const PREFIX = 'sac:'
const MAX_MESSAGE_BYTES = 4096

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
  }
}

/** Publishes through Redis without ever failing the caller; an outage costs hints only, since readers poll rows. */
export class RedisBus implements Bus {
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
    for (const client of [this.publisher, this.subscriber]) client.on('error', (error: Error) => this.report(error))
    this.subscriber.on('ready', () => this.recovered())
    this.subscriber.on('pmessage', (_pattern: string, _channel: string, text: string) => this.receive(text))
    void this.subscriber.psubscribe(`${PREFIX}*`).catch((error: Error) => this.report(error))
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
    if (text.length > MAX_MESSAGE_BYTES) return
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      // @NOTE a foreign or broken message is dropped: facts are only hints.
      return
    }
    const { origin, event } = (message ?? {}) as { origin?: unknown; event?: AppEvent }
    if (origin === this.origin || typeof event !== 'object' || event === null || !Number.isSafeInteger(event.userId)) return
    this.deliver(event)
  }

  private deliver(event: AppEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  private report(error: Error): void {
    if (!this.down) this.logger.warn('Redis cannot be reached; live updates fall back to polling', { error: error.message })
    this.down = true
  }

  private recovered(): void {
    if (this.down) this.logger.info('Redis is back')
    this.down = false
  }
}
