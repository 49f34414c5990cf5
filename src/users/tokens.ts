// The login token: an HS256 JWT of 24 hours that names a user and a login row. It proves nothing without that row.
import { jwt } from '@elysiajs/jwt'

export const TOKEN_LIFE_S = 24 * 60 * 60
const ISSUER = 'sac'
const AUDIENCE = 'sac-api'
const MAX_TOKEN_LENGTH = 4096
const LEEWAY_S = 60

export interface LoginClaims {
  userId: number
  /** Secret half of the login; the row holds its hash. */
  sid: string
}

/** Signs and checks login tokens. */
export class LoginTokens {
  private readonly signer
  private readonly known = new Map<string, LoginClaims & { exp: number }>()

  constructor(secret: string) {
    this.signer = jwt({ name: 'jwt', secret }).decorator.jwt
  }

  async sign({ userId, sid }: LoginClaims): Promise<string> {
    return this.signer.sign({ sub: String(userId), sid, iss: ISSUER, aud: AUDIENCE, exp: nowS() + TOKEN_LIFE_S })
  }

  /** The claims of a token that we signed and that has not run out; undefined for everything else. Never throws. */
  async verify(token: string): Promise<LoginClaims | undefined> {
    if (token.length > MAX_TOKEN_LENGTH) return undefined
    const seen = this.known.get(token)
    if (seen) return seen.exp > nowS() ? seen : undefined
    if (!isHs256(token)) return undefined
    const claims = await this.signer.verify(token).catch(() => false as const)
    if (!claims) return undefined
    const { sub, sid, iss, aud, exp, iat, nbf } = claims as Record<string, unknown>
    const userId = Number(sub)
    if (iss !== ISSUER || aud !== AUDIENCE || typeof sid !== 'string' || !Number.isSafeInteger(userId)) return undefined
    if (nbf !== undefined && (typeof nbf !== 'number' || nbf > nowS() + LEEWAY_S)) return undefined
    if (typeof exp !== 'number' || exp <= nowS() || (typeof iat === 'number' && iat > nowS() + LEEWAY_S)) return undefined
    this.remember(token, { userId, sid, exp })
    return { userId, sid }
  }

  // Checking a signature costs more than a whole list request; the row is asked either way.
  private remember(token: string, claims: LoginClaims & { exp: number }): void {
    if (this.known.size >= 10_000) this.known.clear()
    this.known.set(token, claims)
  }
}

function nowS(): number {
  return Math.floor(Date.now() / 1000)
}

/** Pins the algorithm before any key is used: no `none`, no asymmetric confusion, and no key named by the token (`kid`, `jku`, `jwk`). */
function isHs256(token: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'))
    return typeof header === 'object' && header !== null && 'alg' in header && header.alg === 'HS256' && Object.keys(header).every((name) => name === 'alg' || name === 'typ')
  } catch {
    return false
  }
}
