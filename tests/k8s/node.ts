// Faults on a node, by the words of NODE_COMMAND: processes are found by what the kernel says of them, whatever runs containers there.
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { kubectl, run } from './shell.ts'

const RUNTIME_BACK_MS = 60_000

/** Prints the process that is a container's first. Its id is in the names of its control groups. */
const FIRST_OF = `first_of() {
  for process in /proc/[0-9]*; do
    grep -qs "$1" "$process/cgroup" && grep -qsE '^NSpid:[[:space:]]+[0-9]+([[:space:]]+[0-9]+)*[[:space:]]1$' "$process/status" && echo "\${process#/proc/}" && return
  done
  echo "no process of container $1 runs on this node" >&2; exit 1
}`

/** Prints the process that listens at a Unix socket. */
const LISTENER_AT = `listener_at() {
  inode=$(awk -v path="$1" '$NF == path && $4 == "00010000" { print $7 }' /proc/net/unix)
  for name in $(grep -lxs containerd /proc/[0-9]*/comm); do
    for file in "\${name%/comm}"/fd/*; do
      [ "$(readlink "$file")" = "socket:[$inode]" ] && name=\${name%/comm} && echo "\${name#/proc/}" && return
    done
  done
  echo "nothing listens at $1" >&2; exit 1
}`

/** Runs a script of the shell on the node, with its words; what it printed. */
export async function onNode(script: string, ...words: string[]): Promise<string> {
  const { code, out, err } = await run([...given('NODE_COMMAND').split(' '), 'sh', '-c', script, 'sh', ...words])
  if (code !== 0) throw new Error(`on the node: ${err.trim() || `exit code ${code}`}`)
  return out.trim()
}

/** The runtime's id of a pod's container. */
export async function containerId(namespace: string, pod: string, container: string): Promise<string> {
  const { status } = JSON.parse(await kubectl('get', 'pod', '-n', namespace, pod, '-o', 'json')) as { status: { containerStatuses: { name: string; containerID: string }[] } }
  const id = /^\w+:\/\/([0-9a-f]{32,})$/.exec(status.containerStatuses.find(({ name }) => name === container)?.containerID ?? '')?.[1]
  // Without a whole id the wrong process would be found.
  if (!id) throw new Error(`${pod} has no running container ${container}: ${JSON.stringify(status.containerStatuses)}`)
  return id
}

/** Kills a container's first process, and with it the container. */
export async function killContainer(id: string): Promise<void> {
  await onNode(`${FIRST_OF}; pid=$(first_of "$1") && kill -9 "$pid"`, id)
}

/** Kills the process by which the container runtime holds a pod's containers. */
export async function killTask(id: string): Promise<void> {
  await onNode(`${FIRST_OF}; pid=$(first_of "$1") && kill -9 "$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")"`, id)
}

/** Kills containerd itself, and returns when it serves again: by itself, or by RUNTIME_START_COMMAND where nothing else starts it. */
export async function killContainerRuntime(idOfAnyContainer: string): Promise<void> {
  const find = `${FIRST_OF}; ${LISTENER_AT}
pid=$(first_of "$1") && shim=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status") && socket=$(tr '\\0' '\\n' < "/proc/$shim/cmdline" | sed -n '/^-address$/{n;p}')
listener_at "$socket"`
  const before = await onNode(find, idOfAnyContainer)
  await onNode('kill -9 "$1"', before)
  const start = process.env.RUNTIME_START_COMMAND
  if (start) await run(start.split(' '))
  const back = async () => {
    const now = await onNode(find, idOfAnyContainer).catch(() => '')
    return now !== '' && now !== before
  }
  await until(back, {
    timeoutMs: RUNTIME_BACK_MS,
    intervalMs: 500,
    what: 'containerd’s return (where the node does not start it by itself, RUNTIME_START_COMMAND names a command that does)',
  })
}

/** Drops what these pods send to the cluster's API, without a word to them, until it is disposed. */
export async function withoutApi(addresses: string[]): Promise<AsyncDisposable> {
  const { subsets } = JSON.parse(await kubectl('get', 'endpoints', '-n', 'default', 'kubernetes', '-o', 'json')) as { subsets: { ports: { port: number }[] }[] }
  const port = String(subsets[0]?.ports[0]?.port)
  const rules = (action: string) =>
    onNode(
      `port=$2; for address in $1; do for chain in INPUT FORWARD; do iptables -w 10 ${action} "$chain" -s "$address" -p tcp --dport "$port" -j DROP || exit 1; done; done`,
      addresses.join(' '),
      port,
    )
  await rules('-I')
  return { [Symbol.asyncDispose]: async () => void (await rules('-D')) }
}
