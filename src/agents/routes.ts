// JSON API of agents: list, read, create, change, delete. Secrets go in and never come out.
import { Elysia, t } from 'elysia'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { AppError } from '../lib/errors.ts'
import { parseId } from '../lib/ids.ts'
import type { Logins } from '../users/logins.ts'
import type { Repeats } from '../users/repeats.ts'
import type { Agent, Agents } from './agents.ts'

const strict = { additionalProperties: false }
const text = t.Optional(t.String())
const CONFIG = t.Object(
  {
    provider: text,
    anthropic_auth_token: t.Optional(t.Union([t.String(), t.Null()])),
    anthropic_base_url: text,
    anthropic_haiku_model: text,
    anthropic_sonnet_model: text,
    anthropic_opus_model: text,
    http_proxy: text,
    https_proxy: text,
    custom_envs: t.Optional(t.Array(t.Object({ key: t.String(), value: text, secret: t.Optional(t.Boolean()) }, strict), { maxItems: 200 })),
  },
  strict,
)
const FIELDS = {
  description: text,
  icon: text,
  instructions: text,
  config: t.Optional(CONFIG),
  cpu_limit: t.Optional(t.Union([t.Number(), t.Null()])),
  memory_limit_mb: t.Optional(t.Union([t.Number(), t.Null()])),
  image: t.Optional(t.Union([t.String(), t.Null()])),
}
const CREATE = t.Object({ name: t.String(), ...FIELDS }, strict)
const UPDATE = t.Object({ name: text, ...FIELDS }, strict)

/** Agents of the caller. */
export function agentRoutes({ agents, repeats, logins, edge }: { agents: Agents; repeats: Repeats; logins: Logins; edge: EdgeRules }) {
  return new Elysia({ prefix: '/api/agents', name: 'agents' })
    .use(signedIn({ logins, edge }))
    .get('/', async ({ user }) => ({ agents: (await agents.list(user)).map(agentJson) }))
    .post(
      '/',
      async ({ user, body, request, set }) => {
        const repeatable = { user, key: request.headers.get('idempotency-key'), operation: 'POST /api/agents', body }
        const answer = await repeats.once(repeatable, (within) => agents.create(user, body, within), agentJson)
        set.status = 201
        set.headers.etag = etag(answer)
        return answer
      },
      { body: CREATE },
    )
    .get('/:id', async ({ user, params, set }) => {
      const agent = await agents.owned(user, parseId(params.id))
      set.headers.etag = etag(agent)
      return agentJson(agent)
    })
    .put(
      '/:id',
      async ({ user, params, body, request, set }) => {
        const agent = await agents.owned(user, parseId(params.id))
        const change = async () => agents.update(agent, body, expectedVersion(request))
        const saved = await change().catch(async (error: unknown) => {
          // Whoever is late has their own text; with the present one beside it nothing is lost.
          if (!(error instanceof AppError && error.kind === 'stale')) throw error
          throw new AppError(error.kind, error.code, error.message, { current: agentJson(await agents.owned(user, agent.id)) })
        })
        set.headers.etag = etag(saved)
        return { ...agentJson(saved), needs_restart: saved.restartVersion > saved.startedVersion && saved.startedVersion > 0 }
      },
      { body: UPDATE },
    )
    .delete('/:id', async ({ user, params, set }) => {
      await agents.delete(await agents.owned(user, parseId(params.id)))
      set.status = 204
    })
}

/** What the API shows of an agent: of a secret only whether it is set and its last four characters. */
export function agentJson(agent: Agent) {
  const { anthropic_auth_token: token } = agent.secrets
  return {
    id: agent.id,
    name: agent.name,
    description: agent.description,
    icon: agent.icon,
    instructions: agent.instructions,
    config: {
      ...agent.config,
      anthropic_auth_token_set: token !== undefined,
      anthropic_auth_token_last4: token?.last4 ?? '',
      custom_envs: agent.config.custom_envs.map((env) =>
        env.secret ? { key: env.key, secret: true, set: agent.secrets[`env:${env.key}`] !== undefined, last4: agent.secrets[`env:${env.key}`]?.last4 ?? '' } : env,
      ),
    },
    cpu_limit: agent.cpuLimit,
    memory_limit_mb: agent.memoryLimitMb,
    image: agent.image,
    started_image: agent.startedImage || null,
    version: agent.version,
    created_by: agent.createdBy,
    created_at: agent.createdAt.toISOString(),
    updated_at: agent.updatedAt.toISOString(),
  }
}

function etag(agent: { version: number }): string {
  return `"${agent.version}"`
}

function expectedVersion(request: Request): number | undefined {
  const header = request.headers.get('if-match')
  if (header === null || header === '*') return undefined
  const version = /^"(\d{1,9})"$/.exec(header)?.[1]
  if (version === undefined) throw new AppError('stale', 'version_conflict', 'If-Match does not name a version of this agent.')
  return Number(version)
}
