// The internal listener: what a sandbox's sidecar may ask for. Never reachable through the public one.
import { Elysia, t } from 'elysia'
import { report, requestIdOf } from '../http/edge.ts'
import { progress } from '../http/paced.ts'
import { guard } from '../http/policies.ts'
import { AppError } from '../lib/errors.ts'
import { free } from '../lib/free.ts'
import type { Logger } from '../lib/logger.ts'
import { RelativePath } from '../lib/paths.ts'
import type { Networks } from '../sessions/networks.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Outputs } from '../workspace/outputs.ts'
import type { SandboxIdentities } from './auth.ts'
import { INTERNAL_PATHS, type PackAnswer, SHA256_HEADER } from './contract.ts'
import { outcomeOf, packOf, unpack } from './pack.ts'

const ACTIVITY = t.Object({ state: t.Union([t.Literal('working'), t.Literal('waiting'), t.Literal('needs-you')]), detail: t.Optional(t.String()) }, { additionalProperties: false })
const REMOVE = t.Object({ path: t.String() }, { additionalProperties: false })

const ROOM = t.Object({ path: t.String(), size: t.Integer({ minimum: 0 }) }, { additionalProperties: false })

const EXPOSURE = t.Object({ network: t.Union([t.Literal('open'), t.Literal('closed')]) }, { additionalProperties: false })
const SMALL_BYTES = 64 * 1024

interface Deps {
  identities: SandboxIdentities
  outputs: Outputs
  sessions: Sessions
  networks: Networks
  logger: Logger
}

/** Upload, pack, delete, room and activity of the sandbox that the token names. */
export function internalRoutes({ identities, outputs, sessions, networks, logger }: Deps) {
  return new Elysia({ name: 'internal' })
    .use(sandboxOnly(identities))
    .post(
      INTERNAL_PATHS.upload,
      async ({ agent, request, server, query, set }) => {
        const { size, sha256 } = declared(request)
        const path = RelativePath.parse(query.path)
        const { signal } = request
        const stored =
          size <= SMALL_BYTES
            ? await outputs.storeSmall(agent, { path, sha256, bytes: await smallBody(request, size) }, signal)
            : await outputs.store(agent, { path, size, sha256, body: chunks(request.body, () => progress(request, server)), signal })
        set.status = stored.created ? 201 : 200
        return stored.changed ? { seq: stored.seq } : { seq: stored.seq, duplicate: true }
      },
      { query: t.Object({ path: t.String() }, { additionalProperties: false }) },
    )
    .post(
      INTERNAL_PATHS.pack,
      async ({ agent, request }): Promise<PackAnswer> => {
        const bytes = await packOf(request)
        try {
          const results = await outputs.apply(agent, unpack(bytes), request.signal)
          return {
            outcomes: results.map((result) => {
              const { outcome, failure } = outcomeOf(result)
              if (failure) report(logger, failure, request, requestIdOf(request))
              return outcome
            }),
          }
        } finally {
          free(bytes)
        }
      },
      { query: t.Object({}, { additionalProperties: false }) },
    )
    .post(
      INTERNAL_PATHS.remove,
      async ({ agent, body, request }) => {
        const removed = await outputs.remove(agent, RelativePath.parse(body.path), false, request.signal)
        return removed.changed ? { seq: removed.seq } : { seq: removed.seq, duplicate: true }
      },
      { body: REMOVE },
    )
    .post(
      INTERNAL_PATHS.room,
      async ({ agent, body }) => {
        await outputs.admit(agent, { path: RelativePath.parse(body.path), size: body.size })
        return { ok: true }
      },
      { body: ROOM },
    )
    .post(
      INTERNAL_PATHS.activity,
      async ({ agent, body }) => {
        await sessions.noteActivity(agent.id, body.state, visible(body.detail))
        return { ok: true }
      },
      { body: ACTIVITY },
    )
    .post(
      INTERNAL_PATHS.exposure,
      async ({ agent, body }) => {
        await networks.note(agent, body.network)
        return { ok: true }
      },
      { body: EXPOSURE },
    )
}

/** Gives handlers the `agent` that the token belongs to. */
function sandboxOnly(identities: SandboxIdentities) {
  return new Elysia({ name: 'sandbox-only' }).derive(
    { as: 'scoped' },
    guard('sandbox', async ({ request }: { request: Request }) => ({ agent: await identities.identify(request) })),
  )
}

function declared(request: Request): { size: number; sha256: string } {
  const size = Number(request.headers.get('content-length') ?? Number.NaN)
  const sha256 = request.headers.get(SHA256_HEADER) ?? ''
  if (!Number.isSafeInteger(size) || size < 0) throw new AppError('malformed', 'length_required', 'Send a Content-Length.')
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new AppError('malformed', 'checksum_required', `Send ${SHA256_HEADER} as 64 lower-case hex digits.`)
  return { size, sha256 }
}

// A small body comes in one piece, which costs a fraction of a stream.
async function smallBody(request: Request, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer())
  if (bytes.byteLength !== size)
    throw new AppError('malformed', 'length_mismatch', `Expected ${size} bytes but received ${bytes.byteLength}. Nothing was stored; send the file again.`)
  return bytes
}

async function* chunks(body: ReadableStream<Uint8Array> | null, moved: () => void): AsyncIterable<Uint8Array> {
  const reader = body?.getReader()
  if (!reader) return
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    moved()
    yield value
  }
}

/** Words of the agent for the list of agents: one short line without control characters. */
function visible(detail: string | undefined): string | null {
  const line = (detail ?? '').replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return line === '' ? null : [...line].slice(0, 120).join('')
}
