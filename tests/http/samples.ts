// One valid request for every route, so that no route is left out of the matrix of who may do what.

/** Ids that a request is made for. */
export interface Ids {
  agent: string
  session: string
  login: string
}

export interface Sample {
  path: (ids: Ids) => string
  body?: (ids: Ids) => unknown
  /** What the owner, or whoever may, gets. */
  fine: number
  headers?: Record<string, string>
}

const at = (path: string, fine = 200): Sample => ({ path: () => path, fine })
const agent = (path: string, fine = 200, body?: unknown): Sample => ({ path: (ids) => path.replace(':id', ids.agent), fine, ...(body === undefined ? {} : { body: () => body }) })
const session = (path: string, fine = 200): Sample => ({ path: (ids) => path.replace(':id', ids.session), fine })
const login = (path: string, fine: number): Sample => ({ path: (ids) => path.replace(':id', ids.login), fine })

/** By `METHOD /path` of the table of policies. */
export const SAMPLES: Record<string, Sample> = {
  'GET /health': at('/health'),
  'GET /ready': at('/ready'),
  'GET /static/:file': at('/static/nothing.js', 404),
  'GET /favicon.ico': at('/favicon.ico', 204),

  'GET /login': at('/login'),
  'POST /login': { path: () => '/login', body: () => ({ login: 'nobody', password: 'wrong' }), fine: 401 },
  'GET /register': at('/register'),
  'POST /register': { path: () => '/register', body: () => ({ username: 'x', email: 'x', password: 'x' }), fine: 422 },
  'POST /logout': at('/logout', 303),
  'GET /account': at('/account'),
  'POST /account/preferences': { path: () => '/account/preferences', body: () => ({ theme: 'dark' }), fine: 303 },
  'POST /account/password': { path: () => '/account/password', body: () => ({ current_password: 'wrong', new_password: 'another good phrase' }), fine: 422 },
  'POST /account/logins/end-others': at('/account/logins/end-others', 303),
  'POST /account/logins/:id/end': login('/account/logins/:id/end', 303),

  'GET /api/auth/registration-mode': at('/api/auth/registration-mode'),
  'POST /api/auth/login': { path: () => '/api/auth/login', body: () => ({ username: 'nobody', password: 'wrong' }), fine: 401 },
  'POST /api/auth/register': { path: () => '/api/auth/register', body: () => ({ username: 'x', email: 'x', password: 'x' }), fine: 422 },
  'GET /api/auth/me': at('/api/auth/me'),
  'PUT /api/auth/password': { path: () => '/api/auth/password', body: () => ({ current_password: 'wrong', new_password: 'another good phrase' }), fine: 422 },
  'POST /api/auth/logout': at('/api/auth/logout'),
  'GET /api/auth/logins': at('/api/auth/logins'),
  'DELETE /api/auth/logins': at('/api/auth/logins'),
  'DELETE /api/auth/logins/:id': login('/api/auth/logins/:id', 204),

  'POST /api/admin/invitations': { path: () => '/api/admin/invitations', body: () => ({}), fine: 201 },
  'GET /api/admin/settings/': at('/api/admin/settings'),
  'PUT /api/admin/settings/:key': { path: () => '/api/admin/settings/registration_mode', body: () => ({ value: 'open' }), fine: 200 },

  'GET /admin/': at('/admin', 303),
  'GET /admin/agents': at('/admin/agents'),
  'GET /admin/rollouts/': at('/admin/rollouts'),
  'POST /admin/rollouts/': { path: () => '/admin/rollouts', body: () => ({ image: 'example.com/sac/agent:1' }), fine: 409 },
  'GET /admin/rollouts/new': at('/admin/rollouts/new'),
  'POST /admin/rollouts/new': { path: () => '/admin/rollouts/new', body: () => ({ ids: '987654321' }), fine: 200 },
  'GET /admin/rollouts/live': at('/admin/rollouts/live'),
  'GET /admin/rollouts/:id': at('/admin/rollouts/987654321', 404),
  'POST /admin/rollouts/:id/cancellation': at('/admin/rollouts/987654321/cancellation', 404),
  'GET /admin/settings/': at('/admin/settings'),
  'POST /admin/settings/': { path: () => '/admin/settings', body: () => ({ pids_limit: '600', 'was.pids_limit': '512' }), fine: 303 },
  'GET /admin/agents/:agentId': at('/admin/agents/987654321', 404),
  'POST /admin/agents/:agentId/stop': { path: () => '/admin/agents/987654321/stop', body: () => ({ reason: 'because' }), fine: 404 },
  'POST /admin/agents/:agentId/restart': { path: () => '/admin/agents/987654321/restart', body: () => ({ reason: 'because' }), fine: 404 },
  'GET /api/admin/agents': at('/api/admin/agents'),
  'GET /api/admin/agents/:agentId': at('/api/admin/agents/987654321', 404),
  'GET /api/admin/users/:userId/agents': at('/api/admin/users/987654321/agents', 404),
  'POST /api/admin/users/:userId/agents/:agentId/restart': { path: () => '/api/admin/users/1/agents/987654321/restart', body: () => ({ reason: 'because' }), fine: 404 },
  'POST /api/admin/users/:userId/agents/:agentId/stop': { path: () => '/api/admin/users/1/agents/987654321/stop', body: () => ({ reason: 'because' }), fine: 404 },
  'GET /admin/events': at('/admin/events?page=agents'),
  'DELETE /api/admin/settings/:key': { path: () => '/api/admin/settings/idle_after_seconds', fine: 204 },
  'GET /api/admin/networks': at('/api/admin/networks'),
  'GET /api/admin/rollouts': at('/api/admin/rollouts'),
  'POST /api/admin/rollouts': { path: () => '/api/admin/rollouts', body: () => ({ image: 'example.com/sac/agent:1', filter: {} }), fine: 409 },
  'GET /api/admin/rollouts/:id': at('/api/admin/rollouts/987654321', 404),
  'POST /api/admin/rollouts/:id/cancellation': at('/api/admin/rollouts/987654321/cancellation', 404),
  'GET /api/admin/rollouts/:id/events': at('/api/admin/rollouts/987654321/events', 404),
  'PUT /api/admin/users/:userId/agents/:agentId/image': {
    path: (ids) => `/api/admin/users/1/agents/${ids.agent}/image`,
    body: () => ({ image: 'example.com/sac/agent:1' }),
    fine: 404,
  },
  'POST /api/admin/agents/batch-update-image': { path: () => '/api/admin/agents/batch-update-image', body: () => ({ image: 'example.com/sac/agent:1' }), fine: 409 },

  'GET /': at('/', 303),
  'GET /agents/new': at('/agents/new'),
  'POST /agents': { path: () => '/agents', body: () => ({ name: '' }), fine: 422 },
  'GET /agents/:id': agent('/agents/:id'),
  'GET /agents/:id/edit': agent('/agents/:id/edit'),
  'POST /agents/:id': agent('/agents/:id', 303, { name: 'Renamed' }),
  'POST /agents/:id/start': agent('/agents/:id/start', 303),
  'POST /agents/:id/stop': agent('/agents/:id/stop', 303),
  'POST /agents/:id/restart': agent('/agents/:id/restart', 303),
  'POST /agents/:id/delete': agent('/agents/:id/delete', 303),
  'GET /events': agent('/events?agent=:id'),

  'GET /api/agents/': at('/api/agents'),
  'POST /api/agents/': { path: () => '/api/agents', body: () => ({ name: '' }), fine: 422 },
  'GET /api/agents/:id': agent('/api/agents/:id'),
  'PUT /api/agents/:id': agent('/api/agents/:id', 200, { name: 'Renamed' }),
  'DELETE /api/agents/:id': agent('/api/agents/:id', 204),
  'POST /api/agents/:id/restart': agent('/api/agents/:id/restart'),
  'POST /api/agents/:id/stop': agent('/api/agents/:id/stop', 204),
  'GET /api/agent-statuses': at('/api/agent-statuses'),

  'POST /api/sessions': { path: () => '/api/sessions', body: (ids) => ({ agent_id: ids.agent }), fine: 200 },
  'GET /api/sessions': at('/api/sessions'),
  'GET /api/sessions/:id': session('/api/sessions/:id'),
  'DELETE /api/sessions/:id': session('/api/sessions/:id', 204),
  'GET /api/sessions/:id/events': session('/api/sessions/:id/events'),
  'POST /api/sessions/:id/ticket': session('/api/sessions/:id/ticket', 201),
  'GET /ws/:id': session('/ws/:id', 426),

  'GET /agents/:id/output/': agent('/agents/:id/output'),
  'GET /agents/:id/output/preview': agent('/agents/:id/output/preview?path=a.txt'),
  'POST /agents/:id/output/delete': agent('/agents/:id/output/delete', 303, { path: 'a.txt' }),
  'GET /api/workspace/output/files': agent('/api/workspace/output/files?agent_id=:id'),
  'DELETE /api/workspace/output/files': agent('/api/workspace/output/files?agent_id=:id&path=a.txt'),
  'GET /api/workspace/output/files/download': agent('/api/workspace/output/files/download?agent_id=:id&path=a.txt'),
  'GET /api/workspace/output/watch': agent('/api/workspace/output/watch?agent_id=:id'),
}
