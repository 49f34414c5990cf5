// Live output of agents: a hint makes one read per agent and process, and every listener gets the same bytes.
import type { Bus } from '../bus/bus.ts'
import type { Logger } from '../lib/logger.ts'
import type { Outputs } from './outputs.ts'
import type { ChangedRow } from './schema.ts'

/** One reader of an agent's changes. It first catches up from its own cursor, then shares the live reads. */
export interface OutputListener {
  /** Rows in order of their sequence, each exactly once. `shared` is the same array for all listeners of a live read. */
  changes(rows: readonly ChangedRow[]): void
  /** The cursor is ahead of the rows: the reader must load its snapshot again and go on from `seq`. */
  resync(seq: number): void
}

interface Reader {
  listener: OutputListener
  cursor: number
  /** True while it still reads its own backlog; live rows reach it through its next own read. */
  behind: boolean
}

interface Topic {
  cursor: number
  readers: Set<Reader>
  reading: boolean
  again: boolean
}

const PAGE = 500
const POLL_MS = 5000

/** Follows output changes of agents that somebody watches. Losing a hint costs at most one poll interval. */
export class OutputFeed {
  private readonly topics = new Map<number, Topic>()
  private readonly offs: (() => void)[]
  private readonly clock = setInterval(() => {
    for (const agentId of this.topics.keys()) this.wake(agentId)
  }, POLL_MS)

  constructor(private readonly deps: { outputs: Outputs; bus: Bus; logger: Logger }) {
    this.clock.unref?.()
    this.offs = [
      deps.outputs.onCommitted((agentId, rows) => this.offer(agentId, rows)),
      deps.bus.subscribe((event) => {
        if (event.kind === 'output.changed' && event.seq > (this.topics.get(event.agentId)?.cursor ?? Number.POSITIVE_INFINITY)) this.wake(event.agentId)
      }),
    ]
  }

  /** Number of readers; 0 when nobody watches. */
  get size(): number {
    return [...this.topics.values()].reduce((sum, topic) => sum + topic.readers.size, 0)
  }

  /** Starts reading after `cursor`; undefined begins with what comes next. Returns how to stop. */
  follow(agentId: number, cursor: number | undefined, listener: OutputListener): () => void {
    const topic = this.topics.get(agentId) ?? { cursor: -1, readers: new Set<Reader>(), reading: false, again: false }
    this.topics.set(agentId, topic)
    const reader: Reader = { listener, cursor: cursor ?? -1, behind: true }
    topic.readers.add(reader)
    // Nothing to catch up with: most of those who come back after a restart.
    if (topic.cursor >= 0 && (cursor === undefined || cursor === topic.cursor)) Object.assign(reader, { cursor: topic.cursor, behind: false })
    else void this.catchUp(agentId, topic, reader)
    return () => {
      topic.readers.delete(reader)
      if (topic.readers.size === 0 && this.topics.get(agentId) === topic) this.topics.delete(agentId)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.clock)
    for (const off of this.offs) off()
    this.topics.clear()
  }

  private async catchUp(agentId: number, topic: Topic, reader: Reader): Promise<void> {
    try {
      const newest = await this.deps.outputs.lastSeq(agentId)
      if (topic.cursor < 0) topic.cursor = newest
      if (reader.cursor < 0) reader.cursor = newest
      // A position of the future, or one from before what is still remembered.
      if (reader.cursor > newest || (reader.cursor < newest && reader.cursor < (await this.deps.outputs.forgottenSeq(agentId)))) {
        reader.cursor = newest
        reader.listener.resync(newest)
      }
      while (topic.readers.has(reader)) {
        // Whatever the topic has told by now is committed, so this read sees it.
        const told = topic.cursor
        const rows = await this.deps.outputs.changesAfter(agentId, reader.cursor, PAGE)
        this.deliver(reader, rows)
        // No await between the last look and going live: nothing can slip through.
        if (rows.length < PAGE && reader.cursor >= topic.cursor) break
        if (rows.length === 0) reader.cursor = Math.max(reader.cursor, told)
      }
      reader.behind = false
      this.wake(agentId)
    } catch (error) {
      this.deps.logger.warn('output feed cannot catch up', { agentId, error })
      setTimeout(() => topic.readers.has(reader) && void this.catchUp(agentId, topic, reader), POLL_MS).unref?.()
    }
  }

  // Rows that were committed here just now and follow on what was told need no reading.
  private offer(agentId: number, rows: ChangedRow[]): void {
    const topic = this.topics.get(agentId)
    const last = rows.at(-1)
    if (!topic || !last || topic.cursor < 0 || topic.reading || last.seq !== topic.cursor + rows.length) return
    topic.cursor = last.seq
    for (const reader of topic.readers) if (!reader.behind) this.deliver(reader, rows)
  }

  private wake(agentId: number): void {
    const topic = this.topics.get(agentId)
    if (!topic || topic.cursor < 0) return
    if (topic.reading) topic.again = true
    else void this.read(agentId, topic)
  }

  private async read(agentId: number, topic: Topic): Promise<void> {
    topic.reading = true
    try {
      do {
        topic.again = false
        const rows = await this.deps.outputs.changesAfter(agentId, topic.cursor, PAGE)
        const last = rows.at(-1)
        if (!last) continue
        topic.cursor = last.seq
        topic.again ||= rows.length === PAGE
        for (const reader of topic.readers) if (!reader.behind) this.deliver(reader, rows)
      } while (topic.again && topic.readers.size > 0)
    } catch (error) {
      this.deps.logger.warn('output feed cannot read', { agentId, error })
    } finally {
      topic.reading = false
    }
  }

  private deliver(reader: Reader, rows: ChangedRow[]): void {
    const last = rows.at(-1)
    if (!last || last.seq <= reader.cursor) return
    const first = rows[0]
    const fresh = first && first.seq > reader.cursor ? rows : rows.filter((row) => row.seq > reader.cursor)
    reader.cursor = last.seq
    reader.listener.changes(fresh)
  }
}
