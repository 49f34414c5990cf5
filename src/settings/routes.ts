// JSON API of the settings: the limits of the caller, and the system values for admins.
import { Elysia, t } from 'elysia'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import type { Logins } from '../users/logins.ts'
import type { Settings } from './settings.ts'

/** List and change system settings. */
export function settingRoutes({ settings, logins, edge }: { settings: Settings; logins: Logins; edge: EdgeRules }) {
  return new Elysia({ prefix: '/api/admin/settings', name: 'settings' })
    .use(adminOnly({ logins, edge }))
    .get('/', async () => ({ settings: await settings.all() }))
    .put(
      '/:key',
      async ({ params, body, user }) => {
        await settings.set(params.key, body.value, user)
        return { message: 'Saved.' }
      },
      { body: t.Object({ value: t.Any(), description: t.Optional(t.String()) }, { additionalProperties: false }) },
    )
}
