// How this process reaches the cluster's API: as a pod by its service account, or from outside by a kubeconfig.
import { readFile } from 'node:fs/promises'
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
const TOKEN_AGE_MS = 60_000

/** Access with the pod's service account. `folder` is where it is mounted. */
export async function podAccess(host: string, port: string, folder = ACCOUNT): Promise<ClusterAccess> {
  const read = (name: string) =>
    readFile(`${folder}/${name}`, 'utf8').catch((cause: unknown) => {
      throw new OperatorError(`The pod has no service account (${folder}/${name} cannot be read). Set automountServiceAccountToken, or KUBECONFIG_PATH outside of a cluster.`, {
        cause,
      })
    })
  const ca = await read('ca.crt')
  let known = { token: await read('token'), readAt: performance.now() }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async credentials() {
      if (performance.now() - known.readAt > TOKEN_AGE_MS) known = { token: await read('token'), readAt: performance.now() }
      return { tls: { ca }, headers: { authorization: `Bearer ${known.token.trim()}` } }
    },
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
  return {
    server: server.replace(/\/+$/, ''),
    async credentials() {
      // Its own transport is lost on Bun; what it knows about the cluster is not.
      const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {}
      await config.applyToHTTPSOptions(options)
      const { ca, cert, key, passphrase, rejectUnauthorized, servername } = options as Record<string, never>
      const tls = Object.fromEntries(Object.entries({ ca, cert, key, passphrase, rejectUnauthorized, serverName: servername }).filter(([, value]) => value !== undefined))
      const basic: Record<string, string> = options.auth ? { authorization: `Basic ${btoa(options.auth)}` } : {}
      return { tls: tls as ClientTls, headers: { ...(options.headers as Record<string, string> | undefined), ...basic } }
    },
  }
}
