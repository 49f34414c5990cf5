// JSON API of the settings: the limits of the caller, and the system values for admins.
import { Elysia, t } from 'elysia'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import type { Logins } from '../users/logins.ts'
import type { EffectiveSetting, Settings } from './settings.ts'

/** List and change system settings. */
export function settingRoutes({ settings, logins, edge }: { settings: Settings; logins: Logins; edge: EdgeRules }) {
  return new Elysia({ prefix: '/api/admin/settings', name: 'settings' })
    .use(adminOnly({ logins, edge }))
    .get('/', async () => ({ settings: (await settings.all()).map(settingJson) }))
    .put(
      '/:key',
      async ({ params, body, user }) => {
        // JSON has no undefined: nobody resets a value by accident.
        const note = await settings.set(params.key, body.value ?? null, user)
        return { message: 'Saved.', ...(note ? { note } : {}) }
      },
      { body: t.Object({ value: t.Any(), description: t.Optional(t.String()) }, { additionalProperties: false }) },
    )
    .delete('/:key', async ({ params, user, set }) => {
      await settings.set(params.key, undefined, user)
      set.status = 204
    })
}

function settingJson({ inheritedFrom, ...setting }: EffectiveSetting) {
  return { ...setting, inherited_from: inheritedFrom }
}
