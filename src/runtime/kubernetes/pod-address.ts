// Where a pod's stable name leads: the cluster's DNS is asked anew for each dial, and nothing that it says is kept.
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { AppError } from '../../lib/errors.ts'
import { raced } from '../../lib/raced.ts'
import { objectName, podHost, type SandboxKey } from '../names.ts'

/** Addresses of a name; rejects when there are none. */
export type Resolve = (host: string, family: 4 | 6) => Promise<string[]>

/** What the watch knows of a pod: its address, and whether it is in touch. Undefined when there is no pod to dial. */
export type SeenPod = { ip: string; isLive: boolean } | undefined

const ANSWER_MS = 1000
const FIRST_RETRY_MS = 25
const RETRY_MS = 200
/** Each so many questions the Service's name is asked for instead. */
const SERVICE_TURN = 4
/** A dial is given up then; whoever wants the terminal dials again. */
const DEADLINE_MS = 3000
/** A watch that stays out of touch for so long is not waited for: a pod that has moved meanwhile is known to the DNS alone. */
const ALONE_MS = 1000
/** For so long a name may lead elsewhere before the API itself is asked; then it is asked again as rarely. */
const STALE_NAME_MS = 500

interface Options {
  namespace: string
  clusterDomain: string
  resolve?: Resolve
  /** Asks the API, not the watch, whether the agent's pod has this address at this moment. */
  hasAddress: (key: SandboxKey, ip: string) => Promise<boolean>
}

/** Finds pods by name. */
export class PodAddresses {
  private readonly resolve: Resolve

  constructor(private readonly options: Options) {
    this.resolve = options.resolve ?? systemResolve
  }

  /**
   * The address that the pod's name has now, as a host for URLs. As long as the watch is in touch the two have to agree: an
   * older answer out of some cache may be another agent's pod by now. Where a cache holds such an answer for long, the API's word
   * of this very moment counts instead. Throws `not_running` when `seen` knows no pod, else `unnamed`.
   */
  async find(key: SandboxKey, seen: () => SeenPod): Promise<string> {
    const { namespace, clusterDomain } = this.options
    const pod = podHost(key, namespace, clusterDomain)
    // The Service has no other pod. A cache that was asked too early for one name holds its "no such name" for a while.
    const service = `${objectName(key)}.${namespace}.svc.${clusterDomain}`
    const began = performance.now()
    let confirmAt = STALE_NAME_MS
    const elapsed = () => performance.now() - began
    for (let turn = 0; elapsed() < DEADLINE_MS; turn++) {
      if (turn > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(RETRY_MS, FIRST_RETRY_MS * 2 ** (turn - 1))))
      const before = seen()
      if (!before) throw new AppError('unavailable', 'not_running', 'This agent does not run. Start it first.')
      const answers = await this.ask((turn + 1) % SERVICE_TURN === 0 ? service : pod, isIP(before.ip) === 6 ? 6 : 4)
      const now = seen()
      const agreed = answers.find((answer) => answer === now?.ip)
      const alone = !now?.isLive && answers.length === 1 && elapsed() > ALONE_MS ? answers[0] : undefined
      const found = agreed ?? alone ?? (answers.length > 0 && now?.isLive && elapsed() > confirmAt ? await this.confirmed(key, now.ip) : undefined)
      if (found) return found.includes(':') ? `[${found}]` : found
      if (elapsed() > confirmAt) confirmAt += STALE_NAME_MS
    }
    throw new AppError(
      'unavailable',
      'unnamed',
      'The cluster’s DNS does not know this agent’s pod yet. Try again; if it stays so, ask an admin to look at the cluster’s DNS and at CLUSTER_DOMAIN.',
    )
  }

  private async confirmed(key: SandboxKey, ip: string): Promise<string | undefined> {
    // @NOTE an API that does not answer leaves the names to be asked again.
    return (await this.options.hasAddress(key, ip).catch(() => false)) ? ip : undefined
  }

  private async ask(host: string, family: 4 | 6): Promise<string[]> {
    // @NOTE no name, no answer and a broken resolver are the same here: asked again.
    return raced(this.resolve(host, family), AbortSignal.timeout(ANSWER_MS)).catch(() => [])
  }
}

/** Asks the system's name servers themselves: what Bun's sockets remember of a name outlives pods. */
export function resolveBy(servers?: string[]): Resolve {
  const resolver = new Resolver({ timeout: ANSWER_MS, tries: 1 })
  if (servers) resolver.setServers(servers)
  return (host, family) => (family === 6 ? resolver.resolve6(host) : resolver.resolve4(host))
}

const systemResolve: Resolve = (host, family) => resolveBy()(host, family)
