// A program for a pod of the portal's cluster: asks for pages and holds terminals as browsers do, through the Service, and tells in
// one line of JSON after the other what became of it. Runs under Node; knows nothing of the portal but its addresses.
import { Agent, get } from 'node:http'

const { ORIGIN = '', TOKEN = '', SESSIONS = '', WORDS = '' } = process.env
const ASK_EVERY_MS = 50
const ASK_LIMIT_MS = 5000
const RETRY_MS = 100
const OPEN_LIMIT_MS = 1000
const WORD_EVERY_MS = 700
const MOST_WORDS = 50
/** A word that was on its way when its replica died is lost: whoever does not see it so long after the return types on. */
const UNSEEN_MS = 2000
const TELL_EVERY_MS = 500
const PATHS = ['/login', '/api/agent-statuses', '/api/agents/']
const OUTPUT = 0x30
const authorization = `Bearer ${TOKEN}`

/** What has happened so far. */
export interface Visit {
  /** Answers by status, or by the error that came instead. */
  answers: Record<string, number>
  terminals: VisitedTerminal[]
}

export interface VisitedTerminal {
  isOpen: boolean
  /** How long each absence lasted, from the loss to the first output. */
  gapsMs: number[]
  /** Words that were typed, and whose echo came. */
  echoed: string[]
}

const visit: Visit = { answers: {}, terminals: [] }

// Each request comes on a connection of its own, as a proxy's may: it goes to whichever replica takes connections now.
function ask(path: string): void {
  const count = (what: string) => {
    visit.answers[what] = (visit.answers[what] ?? 0) + 1
  }
  const request = get(ORIGIN + path, { agent: new Agent({ keepAlive: false }), headers: { authorization }, timeout: ASK_LIMIT_MS }, (answer) => {
    answer.resume()
    answer.on('end', () => count(String(answer.statusCode)))
    answer.on('error', (error: NodeJS.ErrnoException) => count(error.code ?? error.message))
  })
  request.on('timeout', () => request.destroy(new Error('no answer')))
  request.on('error', (error: NodeJS.ErrnoException) => count(error.code ?? error.message))
}

const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; headers: Record<string, string> }) => WebSocket

class Place {
  readonly seen: VisitedTerminal = { isOpen: false, gapsMs: [], echoed: [] }
  private socket?: WebSocket
  private lostAt = performance.now()
  private backAt = Number.NEGATIVE_INFINITY
  private typedAt = Number.NEGATIVE_INFINITY
  private wasThere = false
  private text = ''
  private typed: string[] = []

  constructor(
    private readonly sessionId: string,
    private readonly prefix: string,
  ) {
    this.open()
  }

  /** One more word, once the last one's echo has come, or cannot come any more. */
  type(): void {
    const last = this.typed.at(-1)
    if (last !== undefined && !this.seen.echoed.includes(last) && !this.isLost()) return
    if (!this.seen.isOpen || this.typed.length >= MOST_WORDS) return
    const word = `${this.prefix}${String(this.typed.length).padStart(2, '0')}`
    this.typed.push(word)
    this.typedAt = performance.now()
    this.socket?.send(new TextEncoder().encode(`0${word} `))
  }

  private isLost(): boolean {
    return this.typedAt < this.backAt && performance.now() - this.backAt > UNSEEN_MS
  }

  private open(): void {
    const socket = new Socket(`${ORIGIN.replace('http', 'ws')}/ws/${this.sessionId}`, { protocols: ['tty'], headers: { authorization } })
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    let isOver = false
    const lost = () => {
      if (isOver) return
      isOver = true
      clearTimeout(patience)
      if (this.seen.isOpen) this.lostAt = performance.now()
      this.seen.isOpen = false
      setTimeout(() => this.open(), RETRY_MS)
    }
    // A pod that is gone does not even refuse.
    const patience = setTimeout(() => {
      lost()
      socket.close()
    }, OPEN_LIMIT_MS)
    socket.onopen = () => {
      clearTimeout(patience)
      socket.send(new TextEncoder().encode(JSON.stringify({ AuthToken: '', columns: 120, rows: 30 })))
    }
    socket.onmessage = ({ data }) => {
      if (!isOver) this.heard(new Uint8Array(data as ArrayBuffer))
    }
    socket.onclose = lost
    socket.onerror = lost
  }

  private heard(frame: Uint8Array): void {
    if (frame[0] !== OUTPUT || frame.length < 2) return
    // A prompt without what an earlier visitor has typed.
    if (!this.wasThere) this.socket?.send(new TextEncoder().encode('0\u0015'))
    if (!this.seen.isOpen && this.wasThere) {
      this.backAt = performance.now()
      this.seen.gapsMs.push(Math.round(this.backAt - this.lostAt))
    }
    this.seen.isOpen = true
    this.wasThere = true
    this.text = (this.text + new TextDecoder().decode(frame.subarray(1))).slice(-50_000)
    for (const word of this.typed) if (!this.seen.echoed.includes(word) && this.text.includes(word)) this.seen.echoed.push(word)
  }
}

const places = SESSIONS.split(',').map((id, at) => new Place(id, WORDS + String.fromCharCode(97 + at)))
visit.terminals = places.map(({ seen }) => seen)
let asked = 0
setInterval(() => ask(PATHS[asked++ % PATHS.length] ?? ''), ASK_EVERY_MS)
setInterval(() => {
  for (const place of places) place.type()
}, WORD_EVERY_MS)
setInterval(() => console.log(JSON.stringify(visit)), TELL_EVERY_MS)
