// Puts the visitor (visitor.ts) into a pod beside an installed portal, and reads what it tells.
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import type { InstalledPortal, PortalUser } from './portal.ts'
import { kubectl, tryKubectl } from './shell.ts'
import type { Visit } from './visitor.ts'

const READY_MS = 60_000

/** A visitor at these sessions' terminals, typing. */
export class Visitor implements AsyncDisposable {
  private constructor(
    private readonly namespace: string,
    private readonly name: string,
  ) {}

  /** Returns when the visitor has been answered and all of its terminals have shown something. */
  static async enter(portal: InstalledPortal, user: PortalUser, sessions: string[]): Promise<Visitor> {
    const name = `visitor-${Math.random().toString(36).slice(2, 8)}`
    const { namespace } = portal
    const program = await Bun.build({ entrypoints: [join(import.meta.dir, 'visitor.ts')], target: 'node' })
    const code = await program.outputs[0]?.text()
    const address = (await kubectl('get', 'service', '-n', namespace, 'sac', '-o', 'jsonpath={.spec.clusterIP}')).trim()
    const objects = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { 'visitor.mjs': code } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 0,
          automountServiceAccountToken: false,
          hostAliases: [{ ip: address, hostnames: ['sac.test'] }],
          containers: [
            {
              name: 'visitor',
              image: given('AGENT_IMAGE'),
              imagePullPolicy: 'IfNotPresent',
              command: ['node', '/opt/visitor/visitor.mjs'],
              env: [
                { name: 'ORIGIN', value: 'http://sac.test' },
                { name: 'TOKEN', value: user.token },
                { name: 'SESSIONS', value: sessions.join(',') },
                {
                  name: 'WORDS',
                  value: Math.random()
                    .toString(36)
                    .replace(/[^a-z]/g, '')
                    .slice(0, 3),
                },
              ],
              volumeMounts: [{ name: 'program', mountPath: '/opt/visitor' }],
            },
          ],
          volumes: [{ name: 'program', configMap: { name } }],
        },
      },
    ]
    const made = await tryKubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    if (made.code !== 0) throw new Error(made.err)
    const visitor = new Visitor(namespace, name)
    await visitor.until(({ answers, terminals }) => (answers['200'] ?? 0) > 10 && terminals.every(({ isOpen, echoed }) => isOpen && echoed.length > 1), READY_MS, 'a visitor')
    return visitor
  }

  /** What has become of the visit so far. */
  async tell(): Promise<Visit> {
    const { out } = await tryKubectl(['logs', '-n', this.namespace, this.name, '--tail=1'])
    return JSON.parse(out || '{"answers":{},"terminals":[]}') as Visit
  }

  /** Waits for something in what the visitor tells. */
  async until(check: (visit: Visit) => boolean, timeoutMs: number, what: string): Promise<Visit> {
    let last: Visit | undefined
    const look = async () => {
      last = await this.tell()
      return last.terminals.length > 0 && check(last) ? last : undefined
    }
    return until(look, { timeoutMs, intervalMs: 200, what }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(last)}`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await tryKubectl(['delete', 'pod,configmap', '-n', this.namespace, this.name, '--ignore-not-found', '--wait=false'])
  }
}
