// A TCP proxy that can lose its network: from then on nothing comes through any more, and nobody is told.

type End = Bun.Socket<{ other?: End; waiting: Buffer[] }>

/** Forwards to a local port until `cut()`. Ends what it holds when it is disposed. */
export class CutProxy {
  private gone = false
  private readonly ends = new Set<End>()
  private readonly listener: Bun.TCPSocketListener<{ other?: End; waiting: Buffer[] }>

  constructor(target: number) {
    const socket: Bun.SocketHandler<{ other?: End; waiting: Buffer[] }> = {
      open: (end) => {
        this.ends.add(end)
      },
      data: (end, bytes) => {
        if (this.gone) return
        if (end.data.other) end.data.other.write(bytes)
        else end.data.waiting.push(Buffer.from(bytes))
      },
      close: (end) => {
        if (!this.gone) end.data.other?.end()
      },
      error() {},
    }
    this.listener = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        ...socket,
        open: async (near) => {
          near.data = { waiting: [] }
          this.ends.add(near)
          const far = await Bun.connect({ hostname: '127.0.0.1', port: target, data: { other: near, waiting: [] }, socket })
          near.data.other = far
          for (const bytes of near.data.waiting) far.write(bytes)
        },
      },
    })
  }

  get port(): number {
    return this.listener.port
  }

  /** The network is gone: what is written from now on gets lost, and new connections hang. */
  cut(): void {
    this.gone = true
  }

  [Symbol.dispose](): void {
    this.listener.stop(true)
    for (const end of this.ends) end.terminate()
  }
}
