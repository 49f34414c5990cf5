// The first admin: made once when there is none, its password printed once.
import type { Context } from './context.ts'
import { randomToken } from './lib/crypto.ts'

/** Creates `admin` when there is no admin and tells its first password on standard output, once and nowhere else. */
export async function seedAdmin({ users, config }: Pick<Context, 'users' | 'config'>, url?: string): Promise<void> {
  const given = config.auth.adminPassword
  const password = given ?? randomToken(12)
  const admin = await users.seedAdmin(password)
  if (!admin) return void (url && say([`SAC is ready at ${config.http.publicUrl ?? url}`]))
  say([
    `SAC is ready${url ? ` at ${config.http.publicUrl ?? url}` : ''}`,
    '',
    'First sign-in, shown only this once:',
    `  user name  ${admin.username}`,
    `  password   ${given ? '(the one in ADMIN_PASSWORD)' : password}`,
  ])
}

// Not through the logger: logs are kept and shipped, and they never hold a secret.
function say(lines: string[]): void {
  process.stdout.write(`\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n\n`)
}
