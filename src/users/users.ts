// Accounts: registration by mode, sign-in, passwords, preferences, and the first admin.
import { eq, or, sql } from 'drizzle-orm'
import type { Db } from '../db/client.ts'
import { AppError, invalidFields } from '../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import type { Invitations } from './invitations.ts'
import { emailProblem, usernameProblem } from './names.ts'
import type { Passwords } from './passwords.ts'
import type { RegistrationLimits } from './registration-limits.ts'
import { type UserRow, users } from './schema.ts'
import type { SignInLimits } from './sign-in-limits.ts'

export interface Registration {
  username: string
  email: string
  displayName: string
  password: string
  /** Code of an invitation; needed when the mode is `invite`. */
  invitation?: string
  /** Where the request comes from; the portal's own registrations have no address and no limit. */
  address?: string
}

/** Creates, finds and changes accounts. */
export class Users {
  constructor(private readonly deps: { db: Db; settings: Settings; passwords: Passwords; limits: SignInLimits; registrations: RegistrationLimits; invitations: Invitations }) {}

  /** Creates an account as the registration mode allows. Throws `forbidden`, `invalid` with fields, or `conflict`. */
  async register(input: Registration): Promise<UserRow> {
    const { settings, passwords, invitations, db } = this.deps
    const mode = await settings.registrationMode()
    const invitation = input.invitation ? await invitations.find(input.invitation) : undefined
    if (mode === 'closed' || (mode === 'invite' && !invitation)) {
      throw new AppError(
        'forbidden',
        'registration_closed',
        mode === 'closed' ? 'This portal does not take new accounts. Ask an admin.' : 'This portal is invite-only. Ask an admin for an invitation link.',
      )
    }
    const clean = { username: input.username.toLowerCase(), email: input.email.trim().toLowerCase(), displayName: input.displayName.trim() || input.username }
    const fields = await registrationProblems({ ...clean, username: input.username, displayName: input.displayName }, passwords, input.password)
    if (invitation?.email && invitation.email !== clean.email) fields.email = `This invitation is for ${invitation.email}.`
    const [first] = Object.entries(fields)
    if (first)
      throw invalidFields(
        Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, typeof value === 'string' ? value : value.message])),
        typeof first[1] === 'string' ? `${first[0]}_invalid` : first[1].code,
      )
    if (input.address !== undefined) this.deps.registrations.take(input.address)
    const passwordHash = await passwords.hash(input.password)
    return db.transaction(async (tx) => {
      if (input.invitation && invitation) await invitations.use(tx, input.invitation)
      const [taken] = await tx
        .select({ username: users.username })
        .from(users)
        .where(or(eq(users.username, clean.username), eq(users.email, clean.email)))
        .limit(1)
      if (taken) throw taken.username === clean.username ? usernameTaken(clean.username) : emailTaken()
      const [row] = await tx
        .insert(users)
        .values({ ...clean, passwordHash })
        .onConflictDoNothing()
        .returning()
      if (!row) throw usernameTaken(clean.username)
      return row
    })
  }

  /** The user whose name or e-mail and password these are. Throws the same refusal for every reason. */
  async checkPassword(login: string, password: string, address: string): Promise<UserRow> {
    const { limits, passwords, db } = this.deps
    const account = login.trim().toLowerCase().slice(0, 320)
    const refuseInPause = () => {
      const waitS = limits.waitS(account, address)
      if (waitS > 0) throw new AppError('too_many', 'rate_limited', `Too many wrong tries. Wait ${waitS} seconds, then try again.`, { retryAfterS: waitS })
    }
    refuseInPause()
    // No name holds a NUL, and no database takes one; the answer is the same as for any other name that is not there.
    const [user] = account.includes('\0')
      ? []
      : await db
          .select()
          .from(users)
          .where(account.includes('@') ? eq(users.email, account) : eq(users.username, account))
          .limit(1)
    let left = 0
    const right = await passwords.matches(password, user && !user.disabledAt ? user.passwordHash : undefined, {
      // Many tries sent at once all came before the first of them failed: each is counted before the next one has its turn.
      begin: refuseInPause,
      end: (isRight) => {
        if (isRight) limits.succeeded(account, address)
        else left = limits.failed(account, address)
      },
    })
    if (right && user) return user
    const next = left > 0 && left <= 3 ? ` After ${left} more ${left === 1 ? 'try' : 'tries'} we pause sign-in for a while.` : ''
    throw new AppError('unauthorized', 'invalid_credentials', `That name and password do not match.${next}`)
  }

  /** Changes the own password after checking the present one. The caller ends the other logins. */
  async changePassword(user: UserRow, current: string, next: string, address: string): Promise<void> {
    const { passwords, db } = this.deps
    const problem = await passwords.problem(next, [user.username, user.email])
    if (problem) throw invalidFields({ new_password: problem.message }, problem.code)
    if (current === next) throw invalidFields({ new_password: 'The new password is the present one.' })
    await this.checkPassword(user.username, current, address).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'invalid_credentials') throw invalidFields({ current_password: 'This is not your present password.' }, 'wrong_password')
      throw error
    })
    await db
      .update(users)
      .set({ passwordHash: await passwords.hash(next), updatedAt: new Date() })
      .where(eq(users.id, user.id))
  }

  async setPreferences(user: UserRow, preferences: Partial<Pick<UserRow, 'theme' | 'screenReader' | 'displayName'>>): Promise<void> {
    await this.deps.db
      .update(users)
      .set({ ...preferences, updatedAt: new Date() })
      .where(eq(users.id, user.id))
  }

  /** Creates `admin` when there is no admin at all. Never touches an existing user. */
  async seedAdmin(password: string): Promise<UserRow | undefined> {
    const { db, passwords } = this.deps
    return db.transaction(async (tx) => {
      // Several starters at once: the first one seeds, the others find its row.
      await tx.execute(sql`select pg_advisory_xact_lock(hashtext('sac-seed'))`)
      const [existing] = await tx.select({ id: users.id }).from(users).where(eq(users.role, 'admin')).limit(1)
      if (existing) return undefined
      const [row] = await tx
        .insert(users)
        .values({ username: 'admin', email: 'admin@localhost', displayName: 'Admin', role: 'admin', passwordHash: await passwords.hash(password) })
        .onConflictDoNothing()
        .returning()
      return row
    })
  }
}

type FieldProblem = string | { code: string; message: string }

async function registrationProblems(
  input: { username: string; email: string; displayName: string },
  passwords: Passwords,
  password: string,
): Promise<Record<string, FieldProblem>> {
  const fields: Record<string, FieldProblem> = {}
  const username = usernameProblem(input.username)
  if (username) fields.username = username
  const email = emailProblem(input.email)
  if (email) fields.email = email
  if (input.displayName.length > 100 || /[\p{Cc}\p{Cf}]/u.test(input.displayName.replace(/\u200d/g, ''))) fields.display_name = 'Use at most 100 visible characters.'
  const weak = await passwords.problem(password, [input.username, input.email])
  if (weak) fields.password = weak
  return fields
}

function usernameTaken(name: string): AppError {
  return new AppError('conflict', 'username_taken', `“${name}” is taken. Choose another user name.`, { fields: { username: `“${name}” is taken. Choose another one.` } })
}

function emailTaken(): AppError {
  return new AppError('conflict', 'email_taken', 'There is an account with this e-mail already.', { fields: { email: 'There is an account with this e-mail already.' } })
}
