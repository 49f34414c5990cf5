// JSON API of output files: list, download, delete, and the live feed with replay.
import { Elysia, t } from 'elysia'
import type { Agents } from '../agents/agents.ts'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { paced } from '../http/paced.ts'
import { type EventSink, type EventStreams, encodeEvent } from '../http/sse.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
import { RelativePath } from '../lib/paths.ts'
import type { Logins } from '../users/logins.ts'
import { fileAnswer } from './file-answer.ts'
import type { listOutput, OutputEntry } from './listing.ts'
import type { OutputFeed, OutputListener } from './output-feed.ts'
import type { Outputs } from './outputs.ts'
import type { ChangedRow } from './schema.ts'

interface Deps {
  agents: Agents
  outputs: Outputs
  feed: OutputFeed
  listing: Listing
  logins: Logins
  streams: EventStreams
  edge: EdgeRules
}

const AGENT_ID = t.String({ pattern: '^[0-9]{1,15}$' })
// The longest name, each of its bytes written as six.
export const MAX_CURSOR = 4000
const strict = { additionalProperties: false }

/** Output of the caller's agents. */
export function outputRoutes({ agents, outputs, feed, listing, logins, streams, edge }: Deps) {
  return new Elysia({ prefix: '/api/workspace/output', name: 'outputs' })
    .use(signedIn({ logins, edge }))
    .get(
      '/files',
      async ({ user, query }) => {
        const agent = await agents.owned(user, parseId(query.agent_id))
        const folder = query.path ? RelativePath.parse(query.path.replace(/\/$/, '')) : ''
        const page = await listing(agent, folder, { after: query.after })
        return {
          path: page.folder,
          files: page.entries.map(entryJson),
          next: page.next ?? null,
          total_files: page.totalFiles,
          total_bytes: page.totalBytes,
          trouble: outputs.trouble(agent) ?? null,
        }
      },
      { query: t.Object({ agent_id: AGENT_ID, path: t.Optional(t.String()), after: t.Optional(t.String({ maxLength: MAX_CURSOR })) }, strict) },
    )
    .delete(
      '/files',
      async ({ user, query }) => {
        const agent = await agents.owned(user, parseId(query.agent_id))
        const removed = await outputs.remove(agent, RelativePath.parse(query.path.replace(/\/$/, '')), query.path.endsWith('/'))
        return { removed: removed.removed }
      },
      { query: t.Object({ agent_id: AGENT_ID, path: t.String() }, strict) },
    )
    .get(
      '/files/download',
      async ({ user, query, request, server }) => {
        const agent = await agents.owned(user, parseId(query.agent_id))
        const path = RelativePath.parse(query.path)
        const answer = async () => paced(await fileAnswer(outputs, await outputs.find(agent, path), request, query.inline === '1'), request, server)
        // An overwrite takes the old content away: whoever had just found it looks once more.
        return answer().catch((error: unknown) => (error instanceof AppError && error.code === 'object_missing' ? answer() : Promise.reject(error)))
      },
      { query: t.Object({ agent_id: AGENT_ID, path: t.String(), inline: t.Optional(t.Literal('1')), v: t.Optional(t.String({ maxLength: 20 })) }, strict) },
    )
    .get(
      '/watch',
      async ({ user, loginId, query, request, server }) => {
        const agent = await agents.owned(user, parseId(query.agent_id))
        server?.timeout(request, 0)
        const cursor = cursorOf(request)
        return streams.answer(loginId, (sink) => feed.follow(agent.id, cursor, new FeedToSink(sink)))
      },
      { query: t.Object({ agent_id: AGENT_ID }, strict) },
    )
}

/** One level of an agent's output. */
export type Listing = (agent: Parameters<typeof listOutput>[1], folder: string, from?: { after?: string; limit?: number }) => ReturnType<typeof listOutput>

// A class, so that a listener that is open for days holds on to its sink and to nothing of its request.
class FeedToSink implements OutputListener {
  constructor(private readonly sink: EventSink) {}

  changes(rows: readonly ChangedRow[]): void {
    this.sink.send(encodedRows(rows))
  }

  resync(seq: number): void {
    this.sink.send(encodeEvent({ id: String(seq), event: 'resync', data: '{}' }))
  }
}

// The same array is handed to every listener of a live read, so its bytes are made once.
const encodedOnce = new WeakMap<readonly ChangedRow[], Uint8Array>()

function encodedRows(rows: readonly ChangedRow[]): Uint8Array {
  const known = encodedOnce.get(rows)
  if (known) return known
  const bytes = Buffer.concat(rows.map((row) => encodeEvent({ id: String(row.seq), data: JSON.stringify(changeJson(row)) })))
  encodedOnce.set(rows, bytes)
  return bytes
}

function changeJson(row: ChangedRow) {
  return { action: row.deletedAt ? 'delete' : 'upload', path: row.path, name: row.path.slice(row.path.lastIndexOf('/') + 1), size: row.size, seq: row.seq }
}

function entryJson(entry: OutputEntry) {
  return { name: entry.name, path: entry.path, size: entry.size, is_directory: entry.isFolder, file_count: entry.fileCount, last_modified: entry.updatedAt.toISOString() }
}

/** Position to replay from; garbage, like a position of the future, leads to a resync. */
function cursorOf(request: Request): number | undefined {
  const header = request.headers.get('last-event-id')
  if (header === null || header === '') return undefined
  return /^\d{1,15}$/.test(header) ? Number(header) : Number.MAX_SAFE_INTEGER
}
