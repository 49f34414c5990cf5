// The only reader of the environment: typed, grouped, and refused at boot when a value is bad.
import { join, resolve } from 'node:path'
import { OperatorError } from './lib/errors.ts'
import type { Level } from './lib/logger.ts'

export interface Config {
  log: { level: Level; format: 'json' | 'console' }
  http: {
    port: number
    host: string
    internalPort: number
    internalHost: string
    /** Base URL of the internal API as sandboxes reach it. */
    internalUrl: string
    /** Origin of the portal as browsers see it; undefined accepts the request's own Host on loopback. */
    publicUrl?: string
    /** Peers whose X-Forwarded-For and -Proto are believed. */
    trustedProxies: string[]
  }
  dataDir: string
  /** Undefined starts the embedded server in `dataDir`. */
  database: { url?: string; poolSize: number; poolWaitMs: number; statementTimeoutMs: number }
  redisUrl?: string
  auth: { jwtSecret?: string; adminPassword?: string; secretKeys: string[]; minPasswordLength: number }
  runtime: {
    kind: 'local' | 'kubernetes'
    claudeBin?: string
    /** SAC_ALLOW_UNSANDBOXED=1: run agents without isolation where namespaces are forbidden. */
    allowUnsandboxed: boolean
    sidecarBin?: string
  }
  /** Name of the organisation on the pages. */
  organisation: string
}

/** A bad environment; the message names the variable and says what it wants. */
export class ConfigError extends OperatorError {}

type Env = Record<string, string | undefined>

const WEAK_SECRETS = new Set([
  'secret',
  'changeme',
  'change-me',
  'jwt-secret',
  'jwtsecret',
  'your-secret-key',
  'your-jwt-secret',
  'password',
  'development',
  'test',
  'sac',
  'sac-secret',
  'supersecret',
])

/** Reads the whole configuration. Throws ConfigError with one sentence per bad variable. */
export function readConfig(env: Env = process.env): Config {
  const problems: string[] = []
  const text = (name: string) => {
    const value = env[name]?.trim()
    return value === '' ? undefined : value
  }
  const number = (name: string, fallback: number, min: number, max: number) => {
    const raw = text(name)
    if (raw === undefined) return fallback
    const value = Number(raw)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    problems.push(`${name} must be a whole number from ${min} to ${max}, not "${raw}".`)
    return fallback
  }
  const oneOf = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const raw = text(name)
    if (raw === undefined) return fallback
    const found = allowed.find((item) => item === raw)
    if (found === undefined) problems.push(`${name} must be one of ${allowed.join(', ')}, not "${raw}".`)
    return found ?? fallback
  }
  const url = (name: string) => {
    const raw = text(name)
    if (raw === undefined) return undefined
    if (URL.canParse(raw) && /^https?:$/.test(new URL(raw).protocol)) return new URL(raw).origin
    problems.push(`${name} must be an http or https URL, not "${raw}".`)
    return undefined
  }

  const port = number('API_GATEWAY_PORT', 8080, 0, 65535)
  const internalPort = number('INTERNAL_PORT', 8082, 0, 65535)
  const jwtSecret = secret(env, problems)
  const config: Config = {
    log: {
      level: oneOf('LOG_LEVEL', ['debug', 'info', 'warn', 'error'] as const, 'info'),
      format: oneOf('LOG_FORMAT', ['json', 'console'] as const, 'json'),
    },
    http: {
      port,
      host: text('HOST') ?? '127.0.0.1',
      internalPort,
      internalHost: text('INTERNAL_HOST') ?? '127.0.0.1',
      internalUrl: text('INTERNAL_URL') ?? '',
      publicUrl: url('PUBLIC_URL'),
      trustedProxies: (text('TRUSTED_PROXIES') ?? '')
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    },
    dataDir: resolve(text('DATA_DIR') ?? join(process.cwd(), 'data')),
    database: {
      url: databaseUrl(env),
      poolSize: number('DB_POOL_SIZE', 10, 1, 200),
      poolWaitMs: number('DB_POOL_WAIT_MS', 1000, 10, 60_000),
      statementTimeoutMs: number('DB_STATEMENT_TIMEOUT_MS', 2500, 100, 600_000),
    },
    redisUrl: text('REDIS_URL'),
    auth: {
      jwtSecret,
      adminPassword: text('ADMIN_PASSWORD'),
      secretKeys: (text('SECRET_KEYS') ?? '')
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
      minPasswordLength: number('MIN_PASSWORD_LENGTH', 12, 8, 128),
    },
    runtime: {
      kind: oneOf('RUNTIME', ['local', 'kubernetes'] as const, text('KUBECONFIG_PATH') || text('KUBERNETES_SERVICE_HOST') ? 'kubernetes' : 'local'),
      claudeBin: text('CLAUDE_BIN'),
      allowUnsandboxed: text('SAC_ALLOW_UNSANDBOXED') === '1',
      sidecarBin: text('SIDECAR_BIN'),
    },
    organisation: text('ORGANISATION') ?? '',
  }
  if (config.http.internalUrl !== '' && !URL.canParse(config.http.internalUrl)) problems.push(`INTERNAL_URL must be a URL, not "${config.http.internalUrl}".`)
  // Never with its value: it holds a password.
  if (config.database.url && !isPostgresUrl(config.database.url)) problems.push('DATABASE_URL (or DB_HOST, DB_PORT) must make a URL like postgres://user:password@host:5432/name.')
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return config
}

function secret(env: Env, problems: string[]): string | undefined {
  const raw = env.JWT_SECRET
  if (raw === undefined) return undefined
  const remedy = 'Set it to at least 32 random characters (for example from `openssl rand -hex 32`), or leave it unset with the local runtime to have one made.'
  if (raw.trim() === '') problems.push(`JWT_SECRET is empty. ${remedy}`)
  else if (WEAK_SECRETS.has(raw.trim().toLowerCase())) problems.push(`JWT_SECRET is a well-known value. ${remedy}`)
  else if (Buffer.byteLength(raw) < 32) problems.push(`JWT_SECRET is too short (${Buffer.byteLength(raw)} bytes). ${remedy}`)
  else if (new Set(raw).size < 8) problems.push(`JWT_SECRET repeats too few characters. ${remedy}`)
  return raw
}

function databaseUrl(env: Env): string | undefined {
  if (env.DATABASE_URL?.trim()) return env.DATABASE_URL.trim()
  if (!env.DB_HOST?.trim()) return undefined
  const text = `postgres://${env.DB_HOST.trim()}:${env.DB_PORT?.trim() || '5432'}/${encodeURIComponent(env.DB_NAME?.trim() || 'sac')}`
  if (!URL.canParse(text)) return text
  const url = new URL(text)
  url.username = encodeURIComponent(env.DB_USER?.trim() || 'sac')
  url.password = encodeURIComponent(env.DB_PASSWORD ?? '')
  return url.href
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)
}
