// The two applications: what the public listener serves, and what sandboxes may ask of the internal one.
import { Elysia } from 'elysia'
import { adminPages } from './admin/pages.ts'
import { adminAgentRoutes } from './admin/routes.ts'
import { agentPages } from './agents/pages.ts'
import { agentRoutes } from './agents/routes.ts'
import type { Context } from './context.ts'
import { assetRoutes } from './http/assets.ts'
import { compressPages } from './http/compress.ts'
import { edge } from './http/edge.ts'
import { errorPage } from './http/error-page.ts'
import { healthRoutes } from './http/health.ts'
import { checkPolicies } from './http/policies.ts'
import { INTERNAL_PATHS } from './internal/contract.ts'
import { internalRoutes } from './internal/routes.ts'
import { rolloutPages } from './rollouts/pages.ts'
import { rolloutRoutes } from './rollouts/routes.ts'
import { INTERNAL_POLICIES, PUBLIC_POLICIES } from './route-policies.ts'
import { networkRoutes } from './sessions/network-routes.ts'
import { sessionRoutes } from './sessions/routes.ts'
import { settingPages } from './settings/pages.ts'
import { settingRoutes } from './settings/routes.ts'
import { terminalRoutes, terminalWebSocket } from './terminal/routes.ts'
import { accountPages } from './users/pages.ts'
import { accountEntryRoutes, accountRoutes, invitationRoutes } from './users/routes.ts'
import { outputPages } from './workspace/pages.ts'
import { outputRoutes } from './workspace/routes.ts'

/** Pages, JSON API, event streams and terminal sockets. Throws when a route and the table of policies disagree. */
export function publicApp(context: Context) {
  const { logger, edge: rules } = context
  const app = new Elysia({ name: 'public', normalize: false, websocket: terminalWebSocket })
    .use(edge({ logger, rules, checkHost: true, tls: rules.secureCookies, page: errorPage(context), routes: PUBLIC_POLICIES }))
    .use(compressPages())
    .use(healthRoutes({ database: context.database, isDraining: () => context.draining }))
    .use(assetRoutes(context))
    .use(accountEntryRoutes(context))
    .use(accountRoutes(context))
    .use(invitationRoutes(context))
    .use(settingRoutes(context))
    .use(rolloutRoutes(context))
    .use(agentRoutes(context))
    .use(sessionRoutes(context))
    .use(networkRoutes(context))
    .use(outputRoutes(context))
    .use(terminalRoutes(context))
    .use(accountPages(context))
    .use(rolloutPages(context))
    .use(settingPages({ ...context, inCluster: context.runtime.hasImages }))
    .use(agentPages(context))
    .use(outputPages(context))
    .use(adminAgentRoutes({ ...context, metrics: () => context.runtime.metrics() }))
    .use(adminPages({ ...context, metrics: () => context.runtime.metrics() }))
  checkPolicies(app.routes, PUBLIC_POLICIES)
  return app
}

/** What sidecars ask for, with their sandbox token. Throws like `publicApp`. */
export function internalApp(context: Context) {
  const { logger } = context
  const app = new Elysia({ name: 'internal-app', normalize: false })
    .use(edge({ logger, rules: { trustedProxies: [] }, checkHost: false, tls: false, rawPaths: [INTERNAL_PATHS.upload, INTERNAL_PATHS.pack], routes: INTERNAL_POLICIES }))
    .use(healthRoutes({ database: context.database, isDraining: () => context.draining }))
    .use(internalRoutes(context))
  checkPolicies(app.routes, INTERNAL_POLICIES)
  return app
}
