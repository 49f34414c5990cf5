// Addresses of the list of everyone's agents: search, filter, sort and page are all in them. Pure.
import type { AgentState } from '../model.ts'
import type { FleetPage } from './model.ts'

/** States in the order of lists of admins: what needs somebody comes first. */
export const STATE_ORDER: readonly AgentState[] = ['failed', 'needs-you', 'starting', 'working', 'running', 'idle', 'stopped']

/** Address of the list; what is as usual is left out. */
export function addressOf({ q, state, sort, descending }: FleetPage['query'], cursor: { before?: string; after?: string } = {}): string {
  const query = new URLSearchParams()
  if (q) query.set('q', q)
  if (state) query.set('state', state)
  if (sort !== 'state') query.set('sort', sort)
  if (descending) query.set('dir', 'desc')
  if (cursor.before) query.set('before', cursor.before)
  if (cursor.after) query.set('after', cursor.after)
  return `/admin/agents${query.size > 0 ? `?${query}` : ''}`
}
