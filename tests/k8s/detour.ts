// A way to the API server that can be closed: connections break, and new ones are refused, until it is opened again.
import type { ClusterAccess } from '../../src/runtime/kubernetes/access.ts'

type End = Bun.Socket<{ other?: End; waiting: Buffer[] }>

/** Passes bytes on as they are; the encryption goes through to the API server itself. */
export class Detour {
  private listener?: Bun.TCPSocketListener<{ other?: End; waiting: Buffer[] }>
  private readonly ends = new Set<End>()
  private readonly port: number
  private readonly target: URL

  constructor(private readonly access: ClusterAccess) {
    this.target = new URL(access.server)
    this.port = this.listen(0)
  }

  /** Leads to the API server through here. */
  get through(): ClusterAccess {
    const { access } = this
    return {
      server: `https://127.0.0.1:${this.port}`,
      async credentials() {
        const { tls, headers } = await access.credentials()
        // Its certificate names another address.
        return { tls: { ...tls, rejectUnauthorized: false }, headers }
      },
    }
  }

  close(): void {
    this.listener?.stop(true)
    for (const end of this.ends) end.terminate()
    this.ends.clear()
  }

  open(): void {
    this.listen(this.port)
  }

  private listen(port: number): number {
    const socket: Bun.SocketHandler<{ other?: End; waiting: Buffer[] }> = {
      data: ({ data }, bytes) => {
        if (data.other) write(data.other, bytes)
        else data.waiting.push(Buffer.from(bytes))
      },
      close: ({ data }) => void data.other?.end(),
      error: ({ data }) => void data.other?.end(),
    }
    this.listener = Bun.listen({
      hostname: '127.0.0.1',
      port,
      socket: {
        ...socket,
        open: async (near) => {
          near.data = { waiting: [] }
          this.ends.add(near)
          const far = await Bun.connect({ hostname: this.target.hostname, port: Number(this.target.port || 443), data: { other: near, waiting: [] }, socket })
          this.ends.add(far)
          near.data.other = far
          for (const bytes of near.data.waiting.splice(0)) write(far, bytes)
        },
      },
    })
    return this.listener.port
  }
}

// What a socket does not take at once comes later, in order.
const queues = new WeakMap<End, Buffer>()
function write(end: End, bytes: Uint8Array): void {
  const waiting = queues.get(end)
  if (waiting) return void queues.set(end, Buffer.concat([waiting, bytes]))
  const taken = end.write(bytes)
  if (taken < 0 || taken >= bytes.byteLength) return
  queues.set(end, Buffer.from(bytes.subarray(taken)))
  const later = setInterval(() => {
    const rest = queues.get(end) ?? Buffer.alloc(0)
    const more = end.write(rest)
    if (more >= 0 && more < rest.byteLength) return void queues.set(end, rest.subarray(more))
    queues.delete(end)
    clearInterval(later)
  }, 1)
}
