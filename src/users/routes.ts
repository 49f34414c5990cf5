// JSON API of accounts: register, sign in and out, who am I, password, own logins, invitations.
import { Elysia, t } from 'elysia'
import { adminOnly, type EdgeRules, publicAccess, signedIn } from '../http/auth.ts'
import { loginCookie } from '../http/cookies.ts'
import type { Settings } from '../settings/settings.ts'
import type { Invitations } from './invitations.ts'
import type { Logins } from './logins.ts'
import type { LoginRow, UserRow } from './schema.ts'
import { TOKEN_LIFE_S } from './tokens.ts'
import type { Users } from './users.ts'

interface Deps {
  users: Users
  logins: Logins
  invitations: Invitations
  settings: Settings
  edge: EdgeRules
}

const strict = { additionalProperties: false }
const CREDENTIALS = t.Object({ username: t.String(), password: t.String() }, strict)
const REGISTRATION = t.Object({ username: t.String(), email: t.String(), password: t.String(), display_name: t.Optional(t.String()), invitation: t.Optional(t.String()) }, strict)
const PASSWORD = t.Object({ current_password: t.String(), new_password: t.String() }, strict)

/** Public part: sign-in, registration and its mode. */
export function accountEntryRoutes({ users, logins, settings, edge }: Deps) {
  const signIn = async (user: UserRow, request: Request, address: string) => {
    const { token } = await logins.open(user, { userAgent: request.headers.get('user-agent') ?? '', address })
    return { body: { token, user: userJson(user) }, cookie: loginCookie(token, TOKEN_LIFE_S, { secure: edge.secureCookies }) }
  }
  return new Elysia({ prefix: '/api/auth', name: 'account-entry' })
    .use(publicAccess({ edge }))
    .get('/registration-mode', async () => ({ mode: await settings.registrationMode() }))
    .post(
      '/login',
      async ({ body, request, address, set }) => {
        const user = await users.checkPassword(body.username, body.password, address)
        const { body: answer, cookie } = await signIn(user, request, address)
        set.headers['set-cookie'] = cookie
        return answer
      },
      { body: CREDENTIALS },
    )
    .post(
      '/register',
      async ({ body, request, address, set }) => {
        const user = await users.register({ ...body, displayName: body.display_name ?? '', address })
        const { body: answer, cookie } = await signIn(user, request, address)
        set.headers['set-cookie'] = cookie
        set.status = 201
        return answer
      },
      { body: REGISTRATION },
    )
}

/** Part for signed-in people: their own account and logins. */
export function accountRoutes({ users, logins, edge }: Deps) {
  return new Elysia({ prefix: '/api/auth', name: 'account' })
    .use(signedIn({ logins, edge }))
    .get('/me', ({ user }) => ({ user: userJson(user) }))
    .put(
      '/password',
      async ({ user, loginId, address, body }) => {
        await users.changePassword(user, body.current_password, body.new_password, address)
        const ended = await logins.endAll(user, loginId)
        return { message: 'Your password is changed.', ended_logins: ended }
      },
      { body: PASSWORD },
    )
    .post('/logout', async ({ user, loginId, set }) => {
      await logins.end(user, loginId)
      set.headers['set-cookie'] = loginCookie('', 0, { secure: edge.secureCookies })
      return { message: 'You are signed out.' }
    })
    .get('/logins', async ({ user, loginId }) => ({ logins: (await logins.list(user)).map((row) => loginJson(row, loginId)) }))
    .delete('/logins', async ({ user, loginId }) => ({ ended: await logins.endAll(user, loginId) }))
    .delete('/logins/:id', async ({ user, params, set }) => {
      await logins.end(user, params.id)
      set.status = 204
    })
}

/** Admins invite people while the portal is invite-only. */
export function invitationRoutes({ invitations, logins, edge }: Deps) {
  return new Elysia({ prefix: '/api/admin', name: 'invitations' }).use(adminOnly({ logins, edge })).post(
    '/invitations',
    async ({ user, body, set }) => {
      const { code, expiresAt } = await invitations.make(user, body.email)
      set.status = 201
      return { path: `/register?invitation=${code}`, expires_at: expiresAt.toISOString() }
    },
    { body: t.Object({ email: t.Optional(t.String()) }, strict) },
  )
}

function userJson(user: UserRow) {
  return {
    id: user.id,
    username: user.username,
    email: user.email,
    display_name: user.displayName,
    role: user.role,
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
  }
}

function loginJson(row: LoginRow, own: string) {
  return {
    id: row.id,
    current: row.id === own,
    user_agent: row.userAgent,
    address: row.address,
    created_at: row.createdAt.toISOString(),
    last_seen_at: row.lastSeenAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
  }
}
