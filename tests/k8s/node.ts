// Faults on a node, by the words of NODE_COMMAND: processes are found by what the kernel says of them, whatever runs containers there.
import { until } from '../../src/lib/until.ts'
import { given } from './given.ts'
import { kubectl, run } from './shell.ts'

const RUNTIME_BACK_MS = 60_000

/** Addresses that no policy counts as private; nobody has them, so that the node can. */
export const ADDRESSES = { somebody: '198.51.100.10', model: '198.51.100.11', blocked: '198.51.100.12' }

/** Everything that is dropped for a test is in this chain of the packet filter. */
const CHAIN = 'SAC-K8S-TEST'
const CLEAR_CHAIN = `for at in INPUT FORWARD; do while iptables -w 10 -D "$at" -j "$1" 2>/dev/null; do :; done; done
iptables -w 10 -F "$1" 2>/dev/null && iptables -w 10 -X "$1" 2>/dev/null; true`

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
  await onNode(
    `${CLEAR_CHAIN}
set -e; chain=$1 port=$2; shift 2
iptables -w 10 -N "$chain"
for address; do iptables -w 10 -A "$chain" -s "$address" -p tcp --dport "$port" -j DROP; done
for at in INPUT FORWARD; do iptables -w 10 -I "$at" -j "$chain"; done`,
    CHAIN,
    port,
    ...addresses,
  )
  return { [Symbol.asyncDispose]: async () => void (await onNode(CLEAR_CHAIN, CHAIN)) }
}

/** Gives the node the addresses of nobody. */
export async function takeAddresses(): Promise<void> {
  await onNode('for address; do ip address replace "$address/32" dev lo || exit 1; done', ...Object.values(ADDRESSES))
}

/** Takes from the node what a suite that was killed has left there: dropped packets, addresses. What is not there is no error. */
export async function clearNode(): Promise<void> {
  const script = `${CLEAR_CHAIN}\nshift; for address; do ip address del "$address/32" dev lo 2>/dev/null; done; true`
  await onNode(script, CHAIN, ...Object.values(ADDRESSES)).catch((error: Error) => process.stderr.write(`What the suite did on the node could not be undone: ${error.message}\n`))
}
