// Secrets of this installation that nobody configured: made once, kept in DATA_DIR with mode 0600.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, ConfigError } from './config.ts'

export interface InstallationSecrets {
  jwtSecret: string
  /** Keys for secrets at rest; the first one seals. */
  secretKeys: string[]
}

/** Configured secrets, or ones that are made on the first start. Only the local runtime may make its own. */
export async function installationSecrets(config: Config): Promise<InstallationSecrets> {
  const { jwtSecret, secretKeys } = config.auth
  if (config.runtime.kind !== 'local') {
    if (!jwtSecret) throw new ConfigError('JWT_SECRET is not set. Set it to at least 32 random characters, the same on every replica (for example from `openssl rand -hex 32`).')
    if (secretKeys.length === 0)
      throw new ConfigError('SECRET_KEYS is not set. Set it to a 32-byte key in hex, the same on every replica (for example from `openssl rand -hex 32`).')
    return { jwtSecret, secretKeys }
  }
  return {
    jwtSecret: jwtSecret ?? (await kept(config.dataDir, 'jwt.secret')),
    secretKeys: secretKeys.length > 0 ? secretKeys : [await kept(config.dataDir, 'secrets.key')],
  }
}

async function kept(dataDir: string, name: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, name)
  const present = await read(path)
  if (present) return present
  const temporary = `${path}.${process.pid}`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.write(randomBytes(32).toString('hex'))
    await file.sync()
  } finally {
    await file.close()
  }
  // A second starter may have been faster: whoever is there first wins, and both read the same.
  if (await read(path)) await unlink(temporary)
  else await rename(temporary, path)
  await chmod(path, 0o600)
  const made = await read(path)
  if (!made) throw new ConfigError(`${path} cannot be written. Check the permissions and the free space of DATA_DIR.`)
  return made
}

async function read(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new ConfigError(`${path} cannot be read (${error.code}).`)
  })
  return text.trim().length >= 32 ? text.trim() : undefined
}
