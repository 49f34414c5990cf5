// What must be cleaned up once, after the last test file of a process. Loaded before every run by bunfig.toml.
import { afterAll } from 'bun:test'

const pending: (() => Promise<void> | void)[] = []

/** Runs `cleanup` when the last test of this process is over. */
export function atEnd(cleanup: () => Promise<void> | void): void {
  pending.push(cleanup)
}

afterAll(async () => {
  for (const cleanup of pending.splice(0).reverse()) await cleanup()
}, 30_000)
