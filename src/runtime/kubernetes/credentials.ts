// The terminals' credentials: derived, so that every replica knows them and none has to read a Secret.
import { createHash, createHmac } from 'node:crypto'
import type { SandboxRef } from '../runtime.ts'

/** Makes the credential of each start's terminal from the installation's keys. */
export class TerminalCredentials {
  private readonly keys: Map<string, string>
  /** Name of the key that new credentials are made with. */
  readonly current: string

  /** @param keys the installation's secret keys; the first one makes, all of them are known. */
  constructor(keys: readonly string[]) {
    const [first] = keys
    if (first === undefined) throw new Error('credentials need a key')
    this.keys = new Map(keys.map((key) => [nameOf(key), key]))
    this.current = nameOf(first)
  }

  /** `user:password` for ttyd; undefined when the key is gone. */
  of({ userId, agentId, generation }: SandboxRef, keyName = this.current): string | undefined {
    const key = this.keys.get(keyName)
    if (key === undefined) return undefined
    return `sac:${createHmac('sha256', key).update(`terminal:${userId}:${agentId}:${generation}`).digest('base64url')}`
  }
}

function nameOf(key: string): string {
  return createHash('sha256').update(`terminal-key:${key}`).digest('hex').slice(0, 12)
}
