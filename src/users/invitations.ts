// Single-use links that let somebody register while the portal is invite-only.
import { and, eq, gt, isNull } from 'drizzle-orm'
import type { Db, Transaction } from '../db/client.ts'
import { randomToken, sha256Hex } from '../lib/crypto.ts'
import { AppError, invalidFields } from '../lib/errors.ts'
import { emailProblem } from './names.ts'
import { type InvitationRow, invitations, type UserRow } from './schema.ts'

const LIFE_MS = 7 * 24 * 60 * 60 * 1000

/** Makes, finds and uses invitations. */
export class Invitations {
  constructor(private readonly db: Db) {}

  /** A new code, shown once; bound to an e-mail address when one is given. */
  async make(by: UserRow, email?: string): Promise<{ code: string; expiresAt: Date }> {
    const address = email?.trim().toLowerCase() || undefined
    const problem = address && emailProblem(address)
    if (problem) throw invalidFields({ email: problem })
    const code = randomToken(18)
    const expiresAt = new Date(Date.now() + LIFE_MS)
    await this.db.insert(invitations).values({ codeHash: sha256Hex(code), email: address, createdBy: by.id, expiresAt })
    return { code, expiresAt }
  }

  /** An invitation that can still be used. */
  async find(code: string): Promise<InvitationRow | undefined> {
    const [row] = await this.db.select().from(invitations).where(open(code)).limit(1)
    return row
  }

  /** Marks it used in the caller's transaction. Throws `forbidden` when somebody else was faster. */
  async use(tx: Transaction, code: string): Promise<void> {
    const used = await tx.update(invitations).set({ usedAt: new Date() }).where(open(code)).returning({ codeHash: invitations.codeHash })
    if (used.length === 0) throw new AppError('forbidden', 'invitation_used', 'This invitation has been used or has run out. Ask an admin for a new one.')
  }
}

function open(code: string) {
  return and(eq(invitations.codeHash, sha256Hex(code)), isNull(invitations.usedAt), gt(invitations.expiresAt, new Date()))
}
