// The page of the settings, for admins.
import { Elysia, t } from 'elysia'
import { SettingsPage } from '../../views/settings/page.tsx'
import { adminOnly, type EdgeRules } from '../http/auth.ts'
import { STATUS } from '../http/errors.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { page, redirect } from '../http/respond.ts'
import { AppError, invalidFields } from '../lib/errors.ts'
import type { Logins } from '../users/logins.ts'
import type { UserRow } from '../users/schema.ts'
import { changesOf, settingsForm, type TypedFields } from './fields.ts'
import { notesOf, type Settings } from './settings.ts'

interface Deps {
  settings: Settings
  /** Whether agents run in a cluster. */
  inCluster: boolean
  frames: Frames
  logins: Logins
  edge: EdgeRules
}

const FIELDS = t.Record(t.String(), t.Union([t.String(), t.Array(t.String())]))

/** Show and save. */
export function settingPages({ settings, inCluster, frames, logins, edge }: Deps) {
  const show = async (user: UserRow, more: { saved?: boolean; unchecked?: string; typed?: TypedFields; error?: AppError } = {}) => {
    const { typed, error, saved, unchecked } = more
    const all = await settings.all()
    const form = settingsForm({ settings: all, inCluster, notes: notesOf(all, unchecked), typed, errors: error?.fields, problem: error?.message, saved })
    return page((nonce) => SettingsPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), form }), error ? STATUS[error.kind] : 200)
  }
  return new Elysia({ name: 'setting-pages', prefix: '/admin/settings' })
    .use(adminOnly({ logins, edge }))
    .get('/', ({ user, query }) => show(user, { saved: query.saved === '1', unchecked: query.unchecked }), {
      query: t.Object({ saved: t.Optional(t.String()), unchecked: t.Optional(t.String({ maxLength: 200 })) }),
    })
    .post(
      '/',
      async ({ user, body }) => {
        try {
          const { values, errors } = changesOf(body, await settings.all())
          if (Object.keys(errors).length > 0) throw invalidFields(errors)
          const notes = await settings.change(values, user)
          const unchecked = Object.keys(notes).filter((key) => key.endsWith('_class'))
          return redirect(`/admin/settings?saved=1${unchecked.length > 0 ? `&unchecked=${unchecked.join('.')}` : ''}`)
        } catch (error) {
          if (error instanceof AppError) return show(user, { typed: body, error })
          throw error
        }
      },
      { body: FIELDS },
    )
}
