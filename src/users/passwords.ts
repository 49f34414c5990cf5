// Password rules and argon2id hashing, at most two hashes at a time so that sign-ins never starve other requests.
import { AppError } from '../lib/errors.ts'
import { isCommonPassword } from './common-passwords.ts'

const ARGON = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const
const MAX_BYTES = 256
const PARALLEL = 2
const MAX_WAITING = 64

/** One try at a password. */
export interface Try {
  /** Its turn has come, after those that came before it are told. Throws when it may not be made any more. */
  begin(): void
  end(right: boolean): void
}

/** Hashes and checks passwords. One per process. */
export class Passwords {
  private active = 0
  private readonly waiting: (() => void)[] = []
  private dummy?: Promise<string>

  constructor(private readonly minLength: number) {}

  /** The sentence that says why a new password is refused, or undefined. `names` are the user's own name and e-mail. */
  async problem(password: string, names: string[]): Promise<{ code: string; message: string } | undefined> {
    const bytes = Buffer.byteLength(password)
    if (bytes > MAX_BYTES) return { code: 'password_too_long', message: `Use at most ${MAX_BYTES} bytes.` }
    if (bytes < this.minLength) return { code: 'password_too_short', message: `Use at least ${this.minLength} characters; a short sentence is easiest to remember.` }
    const lower = password.toLowerCase()
    if ((await isCommonPassword(lower)) || names.some((name) => name !== '' && lower === name.toLowerCase())) {
      return { code: 'password_too_common', message: 'This password is too easy to guess. Choose another one.' }
    }
    return undefined
  }

  async hash(password: string): Promise<string> {
    return this.turn(() => Bun.password.hash(password, ARGON))
  }

  /** False for a wrong password. Without a hash it spends the same time, so that unknown names cannot be told. */
  async matches(password: string, hash: string | undefined, attempt?: Try): Promise<boolean> {
    if (Buffer.byteLength(password) > MAX_BYTES) {
      attempt?.end(false)
      return false
    }
    this.dummy ??= Bun.password.hash('no such account', ARGON)
    const against = hash ?? (await this.dummy)
    return this.turn(async () => {
      attempt?.begin()
      const right = (await Bun.password.verify(password, against)) && hash !== undefined
      attempt?.end(right)
      return right
    })
  }

  private async turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.active >= PARALLEL) {
      if (this.waiting.length >= MAX_WAITING)
        throw new AppError('unavailable', 'sign_in_busy', 'Many people are signing in right now. Try again in a few seconds.', { retryAfterS: 3 })
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    } else this.active++
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next) next()
      else this.active--
    }
  }
}
