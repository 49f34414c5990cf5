// Pods that try what they can reach, and say it.
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { kubectl, tryKubectl } from './shell.ts'

/** What the restricted level asks of a container. */
export const RESTRICTED = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }

/** Tries TCP connections and says for each whether it opened. */
const KNOCK = `
const net = require('node:net')
const knock = (target) => new Promise((done) => {
  const at = target.lastIndexOf(':')
  const host = target.slice(0, at).replace('NAMES', require('node:dns').getServers()[0])
  const socket = net.connect({ host, port: Number(target.slice(at + 1)) })
  const end = (word) => { socket.destroy(); done([target, word]) }
  socket.on('connect', () => end('open')); socket.on('error', (error) => end(error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN' ? 'no name' : 'closed')); setTimeout(() => end('closed'), 2000)
})
;(async () => {
  const end = Date.now() + 30000
  while (Date.now() < end && GUARD && (await knock(GUARD))[1] === 'open');
  console.log(JSON.stringify(Object.fromEntries(await Promise.all(TARGETS.map(knock)))))
  process.exit(0)
})()`

/**
 * Knocks once the cluster enforces its policies on the new pod, which takes a moment: `guard` must have closed by then. Without
 * a guard it knocks at once.
 */
export const knocking = (guard: string, targets: string[]) => `const GUARD = ${JSON.stringify(guard)}; const TARGETS = ${JSON.stringify(targets)};${KNOCK}`

/** A pod with the agents' image that runs a script of Node's, as it is sent to the API. */
export function scriptPod(
  namespace: string,
  name: string,
  script: string,
  { labels = {}, spec = {}, container = {} }: { labels?: Record<string, string>; spec?: object; container?: object } = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'try',
          image: given('AGENT_IMAGE'),
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', script],
          securityContext: RESTRICTED,
          resources: { requests: { cpu: '10m' } },
          ...container,
        },
      ],
      ...spec,
    },
  }
}

/** Runs such a pod to its end; its output. */
export async function runScript(namespace: string, name: string, script: string, labels: Record<string, string> = {}): Promise<string> {
  const made = await tryKubectl(['apply', '-f', '-'], JSON.stringify(scriptPod(namespace, name, script, { labels })))
  if (made.code !== 0) throw new Error(made.err)
  await until(async () => /Succeeded|Failed/.test(await kubectl('get', 'pod', '-n', namespace, name, '-o', 'jsonpath={.status.phase}')), {
    timeoutMs: 90_000,
    intervalMs: 300,
    what: `the end of ${name}`,
  })
  return kubectl('logs', '-n', namespace, name)
}
