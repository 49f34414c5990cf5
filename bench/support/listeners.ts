// Many listeners of event streams over bare sockets, so that the measuring costs little beside the measured.

/** Where to listen and as whom. */
export interface Stream {
  url: string
  token: string
}

interface Ear {
  rest: string
  /** Events heard since `expect`. */
  heard: number
}

const OPENED = /^HTTP\/1\.1 200 /
const AT_ONCE = 100

/** Open listeners; counts the events that each of them hears. */
export class Listeners {
  private readonly sockets: Bun.Socket<Ear>[] = []
  private readonly ears: Ear[] = []
  private opened = 0
  private refused = ''
  private wanted = Number.POSITIVE_INFINITY
  private done = 0
  private firstAt = 0
  private whenDone: (at: { first: number; last: number }) => void = () => {}

  /** Opens one listener for each of these streams. Resolves when all were answered. */
  async open(streams: Stream[]): Promise<void> {
    for (let from = 0; from < streams.length; from += AT_ONCE) {
      await Promise.all(streams.slice(from, from + AT_ONCE).map((stream) => this.connect(stream)))
      const deadline = performance.now() + 20_000
      while (this.opened < Math.min(streams.length, from + AT_ONCE)) {
        if (this.refused || performance.now() > deadline) throw new Error(`a listener was not answered: ${this.refused || 'no answer in time'}`)
        await Bun.sleep(1)
      }
    }
  }

  /** From now on each listener is to hear `events` events; resolves with the times of the first and the last one. */
  expect(events: number): Promise<{ first: number; last: number }> {
    for (const ear of this.ears) ear.heard = 0
    this.wanted = events
    this.done = 0
    this.firstAt = 0
    return new Promise((resolve) => {
      this.whenDone = resolve
    })
  }

  /** Events that were expected and have not come, over all listeners. */
  get missing(): number {
    return this.ears.reduce((sum, { heard }) => sum + Math.max(0, this.wanted - heard), 0)
  }

  end(): void {
    for (const socket of this.sockets) socket.terminate()
  }

  private async connect({ url, token }: Stream): Promise<void> {
    const { hostname, port, host, pathname, search } = new URL(url)
    const ear: Ear = { rest: '', heard: 0 }
    this.ears.push(ear)
    const socket = await Bun.connect<Ear>({
      hostname,
      port: Number(port),
      data: ear,
      socket: {
        open: (open) => void open.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`),
        data: (_socket, bytes) => this.hear(ear, bytes),
      },
    })
    this.sockets.push(socket)
  }

  private hear(ear: Ear, bytes: Buffer): void {
    const text = ear.rest + bytes.toString('latin1')
    if (OPENED.test(text)) this.opened++
    else if (text.startsWith('HTTP/1.1 ')) this.refused = text.slice(0, 600)
    // What is behind the last line end may be the beginning of an event's mark.
    ear.rest = text.slice(text.lastIndexOf('\n') + 1).slice(-20)
    const before = ear.heard
    for (let at = text.indexOf('data: {"action'); at >= 0; at = text.indexOf('data: {"action', at + 1)) ear.heard++
    if (ear.heard === before) return
    this.firstAt ||= performance.now()
    if (before < this.wanted && ear.heard >= this.wanted && ++this.done === this.ears.length) this.whenDone({ first: this.firstAt, last: performance.now() })
  }
}
