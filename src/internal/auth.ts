// Who speaks on the internal listener: the sandbox token names the agent; nothing in a request can.
import type { Agent, Agents } from '../agents/agents.ts'
import { sha256Hex } from '../lib/crypto.ts'
import { AppError } from '../lib/errors.ts'

const CACHE_MS = 2000
const MAX_CACHED = 5000

/** Finds agents by token, remembering the answer for two seconds: a storm of files must not become a storm of look-ups. */
export class SandboxIdentities {
  private readonly cache = new Map<string, { agent: Agent | undefined; readAt: number }>()

  private changes = 0

  constructor(private readonly agents: Agents) {}

  /** The agent whose present sandbox sends this request. Throws `unauthorized`. */
  async identify(request: Request): Promise<Agent> {
    const token = /^Bearer ([\w-]{20,128})$/.exec(request.headers.get('authorization') ?? '')?.[1]
    const agent = token ? await this.lookUp(token) : undefined
    if (!agent) throw new AppError('unauthorized', 'invalid_token', 'This sandbox token is not valid.')
    return agent
  }

  /** Asks anew for the tokens of an agent of which something has changed. */
  forget(agentId: number): void {
    this.changes++
    for (const [key, { agent }] of this.cache) if (agent?.id === agentId) this.cache.delete(key)
  }

  private async lookUp(token: string): Promise<Agent | undefined> {
    const key = sha256Hex(token)
    const known = this.cache.get(key)
    if (known && performance.now() - known.readAt < CACHE_MS) return known.agent
    const { changes } = this
    const agent = await this.agents.bySandboxToken(token)
    // What was read may be older than what has been heard of meanwhile.
    if (changes !== this.changes) return agent
    if (this.cache.size > MAX_CACHED) this.cache.clear()
    this.cache.set(key, { agent, readAt: performance.now() })
    return agent
  }
}
