// From outside of a cluster to a pod's terminal: loopback ports whose connections go through the cluster's API.
import { podName, type SandboxKey, TERMINAL_PORT } from '../names.ts'
import { type KubeClient, PATHS } from './client.ts'

const PROTOCOL = 'v4.channel.k8s.io'
const DATA = 0
const FAULT = 1
const DIAL_MS = 5000
// Each channel begins with the number of its port.
const HEAD_BYTES = 2

interface Connection {
  socket?: WebSocket
  early: Uint8Array[]
  heads: Set<number>
}

/** Loopback ports, one for each agent that is asked for, until disposed. Only for developers: every byte takes two detours. */
export class PortForwards {
  private readonly listeners = new Map<string, Bun.TCPSocketListener<Connection>>()

  constructor(private readonly deps: { client: KubeClient; namespace: string }) {}

  /** Local port that leads to the agent's terminal. */
  port(key: SandboxKey): number {
    const name = podName(key)
    const present = this.listeners.get(name)
    if (present) return present.port
    const listener = Bun.listen<Connection>({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { early: [], heads: new Set() }
          void this.dial(name, socket)
        },
        data: (socket, bytes) => {
          const { socket: far, early } = socket.data
          if (far?.readyState === WebSocket.OPEN) far.send(framed(bytes))
          else early.push(framed(bytes))
        },
        close: ({ data }) => data.socket?.close(),
        error: ({ data }) => data.socket?.close(),
      },
    })
    this.listeners.set(name, listener)
    return listener.port
  }

  [Symbol.dispose](): void {
    for (const listener of this.listeners.values()) listener.stop(true)
    this.listeners.clear()
  }

  private async dial(pod: string, near: Bun.Socket<Connection>): Promise<void> {
    const timer = setTimeout(() => near.terminate(), DIAL_MS)
    try {
      const far = await this.deps.client.socket(`${PATHS.pods(this.deps.namespace)}/${pod}/portforward?ports=${TERMINAL_PORT}`, PROTOCOL)
      far.binaryType = 'arraybuffer'
      near.data.socket = far
      far.onopen = () => {
        clearTimeout(timer)
        for (const frame of near.data.early.splice(0)) far.send(frame)
      }
      far.onmessage = ({ data }) => receive(near, new Uint8Array(data as ArrayBuffer))
      far.onclose = () => {
        clearTimeout(timer)
        near.end()
      }
    } catch {
      // @NOTE the dialler sees a connection that closes, and dials again.
      near.terminate()
    }
  }
}

function receive(near: Bun.Socket<Connection>, frame: Uint8Array): void {
  const channel = frame[0] ?? FAULT
  const isHead = !near.data.heads.has(channel)
  near.data.heads.add(channel)
  const bytes = frame.subarray(isHead ? 1 + HEAD_BYTES : 1)
  if (bytes.byteLength === 0) return
  if (channel === FAULT) return void near.terminate()
  // Bun keeps what a socket does not take at once only when it is told to; a developer's terminal is written in order.
  write(near, bytes)
}

function write(near: Bun.Socket<Connection>, bytes: Uint8Array): void {
  const taken = near.write(bytes)
  if (taken >= bytes.byteLength || taken < 0) return
  setTimeout(() => write(near, bytes.subarray(taken)), 1)
}

function framed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(bytes.byteLength + 1)
  frame[0] = DATA
  frame.set(bytes, 1)
  return frame
}
