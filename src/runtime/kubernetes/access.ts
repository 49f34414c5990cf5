// How this process reaches the cluster's API: as a pod by its service account, or from outside by a kubeconfig.
import { readFile, stat } from 'node:fs/promises'
import { OperatorError } from '../../lib/errors.ts'

/** What Bun's fetch and WebSocket take as `tls`. */
export interface ClientTls {
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  passphrase?: string
  rejectUnauthorized?: boolean
  serverName?: string
}

/** Base URL of the API, and what to present there; asked before each call, because tokens are renewed. */
export interface ClusterAccess {
  readonly server: string
  credentials(): Promise<{ tls: ClientTls; headers: Record<string, string> }>
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** For so long a program that fetches tokens is waited for before another one is begun beside it. */
const FETCH_PATIENCE_MS = 60_000

/** Access with the pod's service account. `folder` is where it is mounted; what is renewed there counts from the next call on. */
export async function podAccess(host: string, port: string, folder = ACCOUNT): Promise<ClusterAccess> {
  const file = (name: string) =>
    new RenewedFile(`${folder}/${name}`, (cause) => {
      return new OperatorError(`The pod has no service account (${folder}/${name} cannot be read). Set automountServiceAccountToken, or KUBECONFIG_PATH outside of a cluster.`, {
        cause,
      })
    })
  const [authority, token] = [file('ca.crt'), file('token')]
  const credentials = async () => {
    const [ca, bearer] = await Promise.all([authority.text(), token.text()])
    return { tls: { ca }, headers: { authorization: `Bearer ${bearer.trim()}` } }
  }
  await credentials()
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, credentials }
}

/** A small file that others put another version in place of; it is read again when it is another one. */
class RenewedFile {
  private known?: { version: string; text: string }

  constructor(
    private readonly path: string,
    private readonly unreadable: (cause: unknown) => Error,
  ) {}

  async text(): Promise<string> {
    const version = await this.version()
    if (this.known?.version !== version) this.known = { version, text: await readFile(this.path, 'utf8').catch((cause: unknown) => Promise.reject(this.unreadable(cause))) }
    return this.known.text
  }

  private async version(): Promise<string> {
    const { dev, ino, size, mtimeMs } = await stat(this.path).catch((cause: unknown) => Promise.reject(this.unreadable(cause)))
    return `${dev}:${ino}:${size}:${mtimeMs}`
  }
}

/** Access with a kubeconfig and its current context: certificates, tokens, and programs that fetch them. */
export async function kubeconfigAccess(path: string): Promise<ClusterAccess> {
  // The library takes 50 MiB, which a server in a cluster does not need.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    config.loadFromFile(path)
  } catch (cause) {
    throw new OperatorError(`KUBECONFIG_PATH (${path}) cannot be read as a kubeconfig: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const server = config.getCurrentCluster()?.server
  if (!server) throw new OperatorError(`KUBECONFIG_PATH (${path}) has no current context with a cluster. Choose one with \`kubectl config use-context\`.`)
  const fetched = async () => {
    // Its own transport is lost on Bun; what it knows about the cluster is not.
    const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {}
    await config.applyToHTTPSOptions(options)
    const { ca, cert, key, passphrase, rejectUnauthorized, servername } = options as Record<string, never>
    const tls = Object.fromEntries(Object.entries({ ca, cert, key, passphrase, rejectUnauthorized, serverName: servername }).filter(([, value]) => value !== undefined))
    const basic: Record<string, string> = options.auth ? { authorization: `Basic ${btoa(options.auth)}` } : {}
    return { tls: tls as ClientTls, headers: { ...(options.headers as Record<string, string> | undefined), ...basic } }
  }
  return { server: server.replace(/\/+$/, ''), credentials: shared(fetched) }
}

/** One run of `work` serves all who ask meanwhile: a program that hangs must not be begun with each call. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: { result: Promise<T>; since: number } | undefined
  return () => {
    if (!running || performance.now() - running.since > FETCH_PATIENCE_MS) {
      const run = { result: work(), since: performance.now() }
      const end = () => {
        if (running === run) running = undefined
      }
      run.result.then(end, end)
      running = run
    }
    return running.result
  }
}
