// Parts of the workbench that show output: a folder's level, the preview of a file, and its deletion.
import { Elysia, t } from 'elysia'
import { NoPreview, OutputList, OutputRows, PreviewPane } from '../../views/workspace/output.tsx'
import type { Agents } from '../agents/agents.ts'
import { type EdgeRules, signedIn } from '../http/auth.ts'
import { fragment, redirect } from '../http/respond.ts'
import { parseId } from '../lib/ids.ts'
import { RelativePath } from '../lib/paths.ts'
import type { Logins } from '../users/logins.ts'
import { levelOf, SHOWN } from './levels.ts'
import type { Outputs } from './outputs.ts'
import { previewOf } from './preview.ts'
import { type Listing, MAX_CURSOR } from './routes.ts'

/** Fragments and the delete form. */
export function outputPages({ agents, outputs, listing, logins, edge }: { agents: Agents; outputs: Outputs; listing: Listing; logins: Logins; edge: EdgeRules }) {
  return new Elysia({ prefix: '/agents/:id/output', name: 'output-pages' })
    .use(signedIn({ logins, edge }))
    .get(
      '/',
      async ({ user, params, query }) => {
        const agent = await agents.owned(user, parseId(params.id))
        const level = levelOf(agent.id, await listing(agent, query.path ? RelativePath.parse(query.path) : '', { after: query.after, limit: SHOWN }))
        return fragment(await (query.after ? OutputRows({ level }) : OutputList({ level })))
      },
      { query: t.Object({ path: t.Optional(t.String()), after: t.Optional(t.String({ maxLength: MAX_CURSOR })) }) },
    )
    .get(
      '/preview',
      async ({ user, params, query }) => {
        const agent = await agents.owned(user, parseId(params.id))
        if (!query.path) return fragment(await NoPreview())
        const row = await outputs.find(agent, RelativePath.parse(query.path))
        return fragment(await PreviewPane({ agentId: agent.id, path: row.path, size: row.size, preview: await previewOf(outputs, row) }))
      },
      { query: t.Object({ path: t.Optional(t.String()) }) },
    )
    .post(
      '/delete',
      async ({ user, params, body }) => {
        const agent = await agents.owned(user, parseId(params.id))
        await outputs.remove(agent, RelativePath.parse(body.path), false)
        return redirect(`/agents/${agent.id}`)
      },
      { body: t.Object({ path: t.String() }) },
    )
}
