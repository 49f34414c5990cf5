// What the suites on a cluster need from the environment, and how one comes by it. Nothing is left out without a word.
const built = (target: string) =>
  `Build the image with \`docker build --target ${target} -t sac/${target}:dev .\`, make it known to the cluster (push it, or \`kind load docker-image\`), and give its name.`
const STORE =
  'Give S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY of an S3-compatible store in whose bucket objects may be made; any local one will do, for example MinIO in Docker.'

const WAYS = {
  KUBECONFIG: 'Give the file of a cluster on which you may make namespaces; a local one comes from `kind create cluster`.',
  SERVER_IMAGE: built('server'),
  SIDECAR_IMAGE: built('sidecar'),
  AGENT_IMAGE: built('agent'),
  S3_ENDPOINT: STORE,
  S3_BUCKET: STORE,
  S3_ACCESS_KEY_ID: STORE,
  S3_SECRET_ACCESS_KEY: STORE,
  NODE_COMMAND:
    'Some faults happen on a node, where they kill processes, containerd among them: give the words that run a program there as root, for example `docker exec sac-control-plane` with kind, or `env` where this machine is the node.',
}

/** A variable that some suite needs. */
export type Given = keyof typeof WAYS

/** Without these no suite begins. */
export const ALWAYS: Given[] = ['KUBECONFIG', 'SERVER_IMAGE', 'SIDECAR_IMAGE', 'AGENT_IMAGE']

/** What may be given, and what is done where it is not. */
export const CHOICES = [
  { name: 'POSTGRES_IMAGE', words: 'The database is the image of the chart; where the cluster cannot pull that one, POSTGRES_IMAGE names another.' },
  { name: 'REDIS_IMAGE', words: 'Redis is the image of the chart; where the cluster cannot pull that one, REDIS_IMAGE names another.' },
]

/** The variables that a suite with this source asks for by `given` and that are not set. */
export function lacking(source: string, env: Record<string, string | undefined> = process.env): Given[] {
  const asked = new Set([...source.matchAll(/\bgiven\('(\w+)'\)/g)].map(([, name]) => name))
  return (Object.keys(WAYS) as Given[]).filter((name) => asked.has(name) && !ALWAYS.includes(name) && !env[name])
}

/** Why the suites cannot begin without this variable, and what to do. */
export const wayTo = (name: Given) => needs([name])

/** As `wayTo`, of several. */
export const needs = (names: Given[]) => `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not set. ${[...new Set(names.map((name) => WAYS[name]))].join(' ')}`

/** The variable's value; throws the way to get one. */
export function given(name: Given): string {
  const value = process.env[name]
  if (!value) throw new Error(wayTo(name))
  return value
}
