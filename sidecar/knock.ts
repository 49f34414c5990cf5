// Finds out whether the sandbox's network is closed: an address that nobody in here may reach must not answer while the server does.
import type { Exposure } from '../src/internal/contract.ts'
import type { Logger } from '../src/lib/logger.ts'

/** How often is tried, and how long is waited. */
export interface KnockPace {
  /** Tries that have to agree, and the pause before each: a cluster closes a new pod some moments after it has started. */
  tries: number
  pauseMs: number
  connectMs: number
  /** Before the next round: after one that said something, and after one that did not. */
  repeatMs: number
  againMs: number
}

export const KNOCK_PACE: KnockPace = { tries: 3, pauseMs: 2000, connectMs: 1500, repeatMs: 10 * 60_000, againMs: 5000 }

interface Deps {
  /** `host:port` that must not answer. */
  address: string
  /** Whether the server answers now; without that a silence elsewhere says nothing. */
  serverAnswers: () => Promise<boolean>
  /** Tells the server; false when it could not be told. */
  report: (network: Exposure) => Promise<boolean>
  log: Logger
  pace?: KnockPace
}

/** Tries for as long as the process lives: policies may be removed later. Never throws. */
export async function watchNetwork(deps: Deps): Promise<never> {
  const pace = deps.pace ?? KNOCK_PACE
  for (;;) {
    const found = await judge(deps, pace).catch(() => undefined)
    if (found === 'open') deps.log.warn('the network of this sandbox is open', { address: deps.address })
    const isTold = found !== undefined && (await deps.report(found).catch(() => false))
    // Many sandboxes must not try at once.
    await Bun.sleep((isTold ? pace.repeatMs : pace.againMs) * (0.8 + Math.random() * 0.4))
  }
}

/** What several tries agree on; undefined when they do not, when there is no network at all, and when the address has no name. */
async function judge({ address, serverAnswers }: Deps, { tries, pauseMs, connectMs }: KnockPace): Promise<Exposure | undefined> {
  const seen = new Set<Exposure>()
  for (let left = tries; left > 0; left--) {
    await Bun.sleep(pauseMs)
    const before = await serverAnswers()
    const found = await knock(address, connectMs)
    if (!found || !before || !(await serverAnswers())) return undefined
    seen.add(found)
    if (seen.size > 1) return undefined
  }
  return [...seen][0]
}

/** Whether somebody takes a connection there; undefined for a name that leads nowhere. */
async function knock(address: string, connectMs: number): Promise<Exposure | undefined> {
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replace(/^\[|\]$/g, '')
  const [found] = await Bun.dns.lookup(host, {}).catch(() => [])
  return found && ((await answers(found.address, Number(address.slice(at + 1)), connectMs)) ? 'open' : 'closed')
}

async function answers(hostname: string, port: number, connectMs: number): Promise<boolean> {
  const connected = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => connected.resolve(false), connectMs)
  Bun.connect({
    hostname,
    port,
    socket: {
      open: (socket) => {
        connected.resolve(true)
        socket.end()
      },
      data() {},
      connectError: () => connected.resolve(false),
    },
  }).catch(() => connected.resolve(false))
  return connected.promise.finally(() => clearTimeout(timer))
}
