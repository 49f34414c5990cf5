// The bus of a single process: a set of listeners.
import type { AppEvent, Bus } from './bus.ts'

/** Delivers facts within this process, after the publisher's turn. */
export class MemoryBus implements Bus {
  private readonly listeners = new Set<(event: AppEvent) => void>()

  async publish(event: AppEvent): Promise<void> {
    queueMicrotask(() => this.deliver(event))
  }

  subscribe(listener: (event: AppEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listeners.clear()
  }

  private deliver(event: AppEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}
