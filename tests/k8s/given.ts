// What the suites on a cluster need from the environment, and how one comes by it. Nothing is skipped for want of it.
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
    'Some faults happen on a node: give the words that run a program there as root, for example `docker exec sac-control-plane` with kind, or `env` where this machine is the node.',
}

/** A variable that some suite needs. */
export type Given = keyof typeof WAYS

/** Why the suites cannot begin without this variable, and what to do. */
export const wayTo = (name: Given) => `${name} is not set. ${WAYS[name]}`

/** The variable's value; throws the way to get one. */
export function given(name: Given): string {
  const value = process.env[name]
  if (!value) throw new Error(wayTo(name))
  return value
}
