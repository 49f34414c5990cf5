// Pages of accounts: sign-in, registration, one's own account.
import { Elysia, t } from 'elysia'
import { AccountPage, LoginPage, RegisterPage } from '../../views/users/account.tsx'
import type { Lists } from '../agents/lists.ts'
import type { Config } from '../config.ts'
import { type EdgeRules, publicAccess, signedIn } from '../http/auth.ts'
import { loginCookie } from '../http/cookies.ts'
import { retryHeader, STATUS } from '../http/errors.ts'
import { type Frames, viewerOf } from '../http/frame.ts'
import { safeNext } from '../http/origin.ts'
import { page, redirect } from '../http/respond.ts'
import { AppError } from '../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import type { Invitations } from './invitations.ts'
import type { Logins } from './logins.ts'
import type { UserRow } from './schema.ts'
import { TOKEN_LIFE_S } from './tokens.ts'
import type { Users } from './users.ts'

interface Deps {
  users: Users
  logins: Logins
  invitations: Invitations
  settings: Settings
  lists: Lists
  frames: Frames
  config: Config
  edge: EdgeRules
}

const LOGIN = t.Object({ login: t.String(), password: t.String(), next: t.Optional(t.String()) })
const REGISTER = t.Object({ username: t.String(), email: t.String(), password: t.String(), display_name: t.Optional(t.String()), invitation: t.Optional(t.String()) })

/** Public and signed-in pages of accounts. */
export function accountPages(deps: Deps) {
  return new Elysia({ name: 'account-pages' }).use(entryPages(deps)).use(ownPages(deps))
}

function entryPages({ users, logins, invitations, settings, frames, config, edge }: Deps) {
  const welcome = async (user: UserRow, request: Request, address: string, next: string) => {
    const { token } = await logins.open(user, { userAgent: request.headers.get('user-agent') ?? '', address })
    return redirect(next, { 'set-cookie': loginCookie(token, TOKEN_LIFE_S, { secure: edge.secureCookies }) })
  }
  const registration = async (code: string | undefined) => {
    const invitation = code ? await invitations.find(code) : undefined
    return {
      mode: await settings.registrationMode(),
      invitation: code && invitation ? { code, email: invitation.email ?? undefined } : undefined,
      minPasswordLength: config.auth.minPasswordLength,
    }
  }
  return new Elysia({ name: 'entry-pages' })
    .use(publicAccess({ edge }))
    .get('/login', async ({ query }) => {
      const mode = await settings.registrationMode()
      return page((nonce) => LoginPage({ frame: frames.of(nonce), next: safeNext(query.next), login: '', mode }))
    })
    .post(
      '/login',
      async ({ body, request, address }) => {
        try {
          return await welcome(await users.checkPassword(body.login, body.password, address), request, address, safeNext(body.next))
        } catch (error) {
          if (!(error instanceof AppError)) throw error
          const mode = await settings.registrationMode()
          return page(
            (nonce) => LoginPage({ frame: frames.of(nonce), next: safeNext(body.next), login: body.login.slice(0, 320), problem: error.message, mode }),
            STATUS[error.kind],
            retryHeader(error),
          )
        }
      },
      { body: LOGIN },
    )
    .get('/register', async ({ query }) => {
      const model = await registration(query.invitation)
      return page((nonce) => RegisterPage({ frame: frames.of(nonce), model: { ...model, values: { username: '', email: '', display_name: '' }, errors: {} } }))
    })
    .post(
      '/register',
      async ({ body, request, address }) => {
        try {
          return await welcome(await users.register({ ...body, displayName: body.display_name ?? '', address }), request, address, '/')
        } catch (error) {
          if (!(error instanceof AppError)) throw error
          const model = await registration(body.invitation)
          const values = { username: body.username, email: body.email, display_name: body.display_name ?? '' }
          return page(
            (nonce) => RegisterPage({ frame: frames.of(nonce), model: { ...model, values, errors: error.fields ?? {}, problem: error.fields ? undefined : error.message } }),
            STATUS[error.kind],
            retryHeader(error),
          )
        }
      },
      { body: REGISTER },
    )
}

function ownPages({ users, logins, lists, frames, edge }: Deps) {
  const show = async (user: UserRow, loginId: string, more: { errors?: Record<string, string>; done?: string } = {}, status = 200) => {
    const [list, rows] = await Promise.all([lists.of(user), logins.list(user)])
    const views = rows.map((row) => ({ id: row.id, current: row.id === loginId, userAgent: row.userAgent, address: row.address, lastSeenAt: row.lastSeenAt }))
    return page((nonce) => AccountPage({ frame: frames.of(nonce, user), viewer: viewerOf(user), list, logins: views, errors: more.errors ?? {}, done: more.done }), status)
  }
  return new Elysia({ name: 'own-pages' })
    .use(signedIn({ logins, edge }))
    .get('/account', ({ user, loginId, query }) => show(user, loginId, { done: DONE.get(query.done ?? '') }))
    .post(
      '/account/preferences',
      async ({ user, body }) => {
        await users.setPreferences(user, { theme: body.theme, screenReader: body.screen_reader === '1' })
        logins.forgetUser(user.id)
        return redirect('/account?done=preferences')
      },
      { body: t.Object({ theme: t.Union([t.Literal('system'), t.Literal('light'), t.Literal('dark')]), screen_reader: t.Optional(t.String()) }) },
    )
    .post(
      '/account/password',
      async ({ user, loginId, address, body }) => {
        try {
          await users.changePassword(user, body.current_password, body.new_password, address)
        } catch (error) {
          if (error instanceof AppError && error.fields) return show(user, loginId, { errors: error.fields }, STATUS[error.kind])
          throw error
        }
        await logins.endAll(user, loginId)
        return redirect('/account?done=password')
      },
      { body: t.Object({ current_password: t.String(), new_password: t.String() }) },
    )
    .post('/account/logins/end-others', async ({ user, loginId }) => {
      await logins.endAll(user, loginId)
      return redirect('/account?done=logins')
    })
    .post('/account/logins/:id/end', async ({ user, params }) => {
      await logins.end(user, params.id)
      return redirect('/account?done=logins')
    })
    .post('/logout', async ({ user, loginId }) => {
      await logins.end(user, loginId)
      return redirect('/login', { 'set-cookie': loginCookie('', 0, { secure: edge.secureCookies }) })
    })
}

// A map, not an object: the word comes from the address, and an object knows more words than its own.
const DONE = new Map([
  ['preferences', 'Your appearance is saved.'],
  ['password', 'Your password is changed.'],
  ['logins', 'The sign-in has ended.'],
])
