// A listener of an event stream that comes back by itself, as a browser does.

export interface Heard {
  id: string
  event: string
  data: string
}

/** Listens until it is ended; after a break it asks for what it missed. */
export class EventListener {
  readonly heard: Heard[] = []
  /** How often the stream was opened. */
  opened = 0
  /** Status of the last answer. */
  status = 0
  lastId: string | undefined
  private readonly abort = new AbortController()
  private readonly running: Promise<void>

  constructor(
    private readonly url: () => string,
    private readonly token: string,
    { lastId }: { lastId?: string } = {},
  ) {
    this.lastId = lastId
    this.running = this.run()
  }

  /** What the changes say that were heard. */
  get changes(): { action: string; path: string; seq: number }[] {
    return this.heard.filter(({ data }) => data.startsWith('{"action"')).map(({ data }) => JSON.parse(data))
  }

  async end(): Promise<void> {
    this.abort.abort()
    await this.running
  }

  private async run(): Promise<void> {
    while (!this.abort.signal.aborted) {
      await this.listen().catch(() => {})
      if (!this.abort.signal.aborted) await Bun.sleep(50)
    }
  }

  private async listen(): Promise<void> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}`, ...(this.lastId === undefined ? {} : { 'last-event-id': this.lastId }) }
    const answer = await fetch(this.url(), { headers, signal: this.abort.signal })
    this.status = answer.status
    if (!answer.ok || !answer.body) return
    this.opened++
    const decoder = new TextDecoder()
    let text = ''
    for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true })
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        this.hear(text.slice(0, end))
        text = text.slice(end + 2)
      }
    }
  }

  private hear(block: string): void {
    const fields = (name: string) => block.split('\n').flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []))
    const [id = ''] = fields('id')
    if (id !== '') this.lastId = id
    const data = fields('data')
    if (data.length > 0) this.heard.push({ id, event: fields('event')[0] ?? 'message', data: data.join('\n') })
  }
}
