// Real sandboxes of this machine that come from images: an image here is a name; one that has "missing" in it is nowhere, and one that has "slow" in it never comes.
import { AppError } from '../../src/lib/errors.ts'
import { LocalRuntime } from '../../src/runtime/local/adapter.ts'
import type { SandboxSpec, StartProgress } from '../../src/runtime/runtime.ts'

export const OLD = 'registry.example.com/sac/agent:1'
export const NEW = 'registry.example.com/sac/agent:2'
export const MISSING = 'registry.example.com/sac/agent:missing'
export const SLOW = 'registry.example.com/sac/agent:slow'

/** Starts what it is given an image for that exists. */
export class ImageRuntime extends LocalRuntime {
  override readonly hasImages: boolean = true
  /** Images of all starts, in their order. */
  readonly started: { agentId: number; image: string }[] = []

  override async start(spec: SandboxSpec, progress: (news: StartProgress) => void, signal: AbortSignal): Promise<void> {
    const image = spec.choices?.image ?? ''
    this.started.push({ agentId: spec.agentId, image })
    if (image.includes('missing')) throw new AppError('unavailable', 'sandbox_failed', 'The agent’s image was not found. Ask an admin to correct its name or to push it.')
    if (image.includes('slow')) await new Promise((_, refuse) => signal.addEventListener('abort', () => refuse(signal.reason), { once: true }))
    await super.start(spec, progress, signal)
  }
}
