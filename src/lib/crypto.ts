// Random tokens, hashes and sealed secrets (AES-256-GCM bound to the row they belong to).
import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError, OperatorError } from './errors.ts'

/** A URL-safe random value of `bytes` random bytes (default 256 bits). */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url')
}

/** Lower-case hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Compares two strings without telling by time where they differ. */
export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

/**
 * Seals short secrets at rest. The first key encrypts, all of them decrypt. A sealed text is
 * `1.{key id}.{iv}.{ciphertext and tag}` in base64url; `context` (table, row, name) is authenticated with it,
 * so a ciphertext moved to another row does not open.
 */
export class SecretBox {
  private readonly keys: Map<string, Buffer>
  private readonly first: string

  /** @param keys 32-byte keys in hex or base64; at least one. */
  constructor(keys: string[]) {
    const parsed = keys.map(parseKey)
    this.keys = new Map(parsed.map((key) => [keyId(key), key]))
    const first = parsed[0]
    if (!first) throw new Error('SecretBox needs at least one key')
    this.first = keyId(first)
  }

  seal(plain: string, context: string): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.key(this.first), iv)
    cipher.setAAD(Buffer.from(context))
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return ['1', this.first, iv.toString('base64url'), body.toString('base64url')].join('.')
  }

  /** Throws AppError `unavailable` when the key is gone or the text was moved or changed. */
  open(sealed: string, context: string): string {
    const [version, id = '', iv = '', body = ''] = sealed.split('.')
    try {
      if (version !== '1') throw new Error(`unknown version ${version}`)
      const bytes = Buffer.from(body, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', this.key(id), Buffer.from(iv, 'base64url'))
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8')
    } catch (cause) {
      throw new AppError(
        'unavailable',
        'secret_unreadable',
        'A stored secret cannot be read with the present keys. Set it again, or give SECRET_KEYS the key it was sealed with.',
        { cause },
      )
    }
  }

  private key(id: string): Buffer {
    const key = this.keys.get(id)
    if (!key) throw new Error(`no key ${id}`)
    return key
  }
}

function parseKey(text: string): Buffer {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  if (key.length !== 32) throw new OperatorError('SECRET_KEYS must hold 32-byte keys in hex or base64, separated by commas.')
  return key
}

function keyId(key: Buffer): string {
  return createHash('sha256').update(key).digest().subarray(0, 7).toString('base64url')
}
