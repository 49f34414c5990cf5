// The one table of who may use which route. A route that is missing here, or guarded otherwise, keeps the portal from starting.
import type { PolicyTable } from './http/policies.ts'

/** Routes of the public listener. */
export const PUBLIC_POLICIES: PolicyTable = {
  'GET /health': 'public',
  'GET /ready': 'public',
  'GET /static/:file': 'public',
  'GET /favicon.ico': 'public',

  'GET /login': 'public',
  'POST /login': 'public',
  'GET /register': 'public',
  'POST /register': 'public',
  'POST /logout': 'signed in',
  'GET /account': 'signed in',
  'POST /account/preferences': 'signed in',
  'POST /account/password': 'signed in',
  'POST /account/logins/end-others': 'signed in',
  'POST /account/logins/:id/end': 'owner',

  'GET /api/auth/registration-mode': 'public',
  'POST /api/auth/login': 'public',
  'POST /api/auth/register': 'public',
  'GET /api/auth/me': 'signed in',
  'PUT /api/auth/password': 'signed in',
  'POST /api/auth/logout': 'signed in',
  'GET /api/auth/logins': 'signed in',
  'DELETE /api/auth/logins': 'signed in',
  'DELETE /api/auth/logins/:id': 'owner',

  'POST /api/admin/invitations': 'admin',
  'GET /api/admin/settings/': 'admin',
  'PUT /api/admin/settings/:key': 'admin',

  'GET /admin/': 'admin',
  'GET /admin/agents': 'admin',
  'GET /admin/events': 'admin',

  'GET /': 'signed in',
  'GET /agents/new': 'signed in',
  'POST /agents': 'signed in',
  'GET /agents/:id': 'owner',
  'GET /agents/:id/edit': 'owner',
  'POST /agents/:id': 'owner',
  'POST /agents/:id/start': 'owner',
  'POST /agents/:id/stop': 'owner',
  'POST /agents/:id/restart': 'owner',
  'POST /agents/:id/delete': 'owner',
  'GET /events': 'owner',

  'GET /api/agents/': 'signed in',
  'POST /api/agents/': 'signed in',
  'GET /api/agents/:id': 'owner',
  'PUT /api/agents/:id': 'owner',
  'DELETE /api/agents/:id': 'owner',
  'POST /api/agents/:id/restart': 'owner',
  'POST /api/agents/:id/stop': 'owner',
  'GET /api/agent-statuses': 'signed in',

  'POST /api/sessions': 'owner',
  'GET /api/sessions': 'signed in',
  'GET /api/sessions/:id': 'owner',
  'DELETE /api/sessions/:id': 'owner',
  'GET /api/sessions/:id/events': 'owner',
  'POST /api/sessions/:id/ticket': 'owner',
  'GET /ws/:id': 'owner',

  'GET /agents/:id/output/': 'owner',
  'GET /agents/:id/output/preview': 'owner',
  'POST /agents/:id/output/delete': 'owner',
  'GET /api/workspace/output/files': 'owner',
  'DELETE /api/workspace/output/files': 'owner',
  'GET /api/workspace/output/files/download': 'owner',
  'GET /api/workspace/output/watch': 'owner',
}

/** Routes of the internal listener. */
export const INTERNAL_POLICIES: PolicyTable = {
  'GET /health': 'public',
  'GET /ready': 'public',
  'POST /api/internal/output/upload': 'sandbox',
  'POST /api/internal/output/pack': 'sandbox',
  'POST /api/internal/output/delete': 'sandbox',
  'POST /api/internal/output/room': 'sandbox',
  'POST /api/internal/activity': 'sandbox',
  'POST /api/internal/exposure': 'sandbox',
}
