// The only reader of the environment: typed, grouped, and refused at boot when a value is bad.
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { OperatorError } from './lib/errors.ts'
import { imageProblem } from './lib/image-names.ts'
import type { Level } from './lib/logger.ts'
import { objectNameProblem } from './lib/object-names.ts'
import { quantity } from './lib/quantities.ts'
import { isHostPattern } from './lib/url-rules.ts'
import type { ClusterSettings } from './runtime/manifests/settings.ts'

export interface Config {
  log: { level: Level; format: 'json' | 'console' }
  http: {
    port: number
    host: string
    internalPort: number
    internalHost: string
    /** Port of GET /metrics, on `host`; undefined serves none. */
    metricsPort?: number
    /** Base URL of the internal API as sandboxes reach it. */
    internalUrl: string
    /** Origin of the portal as browsers see it; undefined accepts the request's own Host on loopback. */
    publicUrl?: string
    /** Peers whose X-Forwarded-For and -Proto are believed. */
    trustedProxies: string[]
  }
  dataDir: string
  /** Undefined starts the embedded server in `dataDir`. */
  database: { url?: string; poolSize: number; poolWaitMs: number; statementTimeoutMs: number; startWaitMs: number }
  redisUrl?: string
  /** There with STORAGE_TYPE=s3; else files lie in `dataDir`. */
  s3?: { endpoint?: string; region: string; bucket: string; prefix: string; accessKeyId: string; secretAccessKey: string }
  auth: { jwtSecret?: string; adminPassword?: string; secretKeys: string[]; minPasswordLength: number }
  runtime: {
    kind: 'local' | 'kubernetes'
    claudeBin?: string
    /** What npm needs of the operator's environment to install the CLI: programs, registry, proxy, certificates; no secret of ours. */
    installEnvironment: Record<string, string>
    /** SAC_ALLOW_UNSANDBOXED=1: run agents without isolation where namespaces are forbidden. */
    allowUnsandboxed: boolean
    sidecarBin?: string
  }
  /** What an operator decides about agents in a cluster; there with RUNTIME=kubernetes. */
  cluster?: ClusterConfig
  /** Name of the organisation on the pages. */
  organisation: string
}

export interface ClusterConfig extends Omit<ClusterSettings, 'installation'> {
  /** Address of the API as a pod is told it; undefined outside of a cluster. */
  api?: { host: string; port: string }
  kubeconfig?: string
  volumeGraceMs: number
  terminals: 'direct' | 'portforward'
  /** Domain of the cluster's own names. */
  clusterDomain: string
  /** Hosts and networks inside of the organisation at which agents' models may be. */
  privateModels: string[]
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
      metricsPort: text('METRICS_PORT') === undefined ? undefined : number('METRICS_PORT', 9090, 0, 65535),
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
      startWaitMs: number('DB_START_WAIT_S', 0, 0, 3600) * 1000,
    },
    redisUrl: text('REDIS_URL'),
    s3: oneOf('STORAGE_TYPE', ['filesystem', 's3'] as const, 'filesystem') === 's3' ? readS3({ text, url, problems }) : undefined,
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
      installEnvironment: installEnvironment(env),
      allowUnsandboxed: text('SAC_ALLOW_UNSANDBOXED') === '1',
      sidecarBin: text('SIDECAR_BIN'),
    },
    organisation: text('ORGANISATION') ?? '',
  }
  if (config.runtime.kind === 'kubernetes') config.cluster = readCluster({ text, number, oneOf, problems })
  for (const proxy of config.http.trustedProxies) {
    const [address = '', bits, more] = proxy.split('/')
    const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 6 ? 128 : 32) && more === undefined)
    if (isIP(address) === 0 || !isNetwork) problems.push(`TRUSTED_PROXIES must list addresses or networks like 10.244.0.0/16, not "${proxy}".`)
  }
  if (config.http.internalUrl !== '' && !URL.canParse(config.http.internalUrl)) problems.push(`INTERNAL_URL must be a URL, not "${config.http.internalUrl}".`)
  // Never with its value: it holds a password.
  if (config.database.url && !isPostgresUrl(config.database.url)) problems.push('DATABASE_URL (or DB_HOST, DB_PORT) must make a URL like postgres://user:password@host:5432/name.')
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return config
}

function readS3({ text, url, problems }: Pick<Readers, 'text' | 'problems'> & { url: (name: string) => string | undefined }): Config['s3'] {
  const need = (name: string) => {
    const value = text(name)
    if (value === undefined) problems.push(`${name} is not set. STORAGE_TYPE=s3 needs S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.`)
    return value ?? ''
  }
  const prefix = (text('S3_PREFIX') ?? '').replace(/^\/+|\/+$/g, '')
  return {
    endpoint: url('S3_ENDPOINT'),
    region: text('S3_REGION') ?? 'us-east-1',
    bucket: need('S3_BUCKET'),
    prefix: prefix === '' ? '' : `${prefix}/`,
    accessKeyId: need('S3_ACCESS_KEY_ID'),
    secretAccessKey: need('S3_SECRET_ACCESS_KEY'),
  }
}

const FOR_INSTALLERS = /^(PATH|HOME|USER|LANG|LC_\w+|TMPDIR|TERM|XDG_\w+|npm_\w+|BUN_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(https?|all|no)_proxy)$/i

/** The part of an environment that npm and Bun install with; the portal's own secrets are not in it. */
export function installEnvironment(env: Env = process.env): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && FOR_INSTALLERS.test(entry[0])))
}

interface Readers {
  text: (name: string) => string | undefined
  number: (name: string, fallback: number, min: number, max: number) => number
  oneOf: <T extends string>(name: string, allowed: readonly T[], fallback: T) => T
  problems: string[]
}

const HOUR_MS = 3_600_000
const LONGEST_GRACE_HOURS = 10 * 365 * 24
const isImage = (text: string) => imageProblem(text) === undefined
const isObjectName = (text: string) => objectNameProblem(text) === undefined
const isSize = (text: string) => (quantity(text) ?? 0) >= 1
const matches = (pattern: RegExp) => (text: string) => pattern.test(text)

function readCluster({ text, number, oneOf, problems }: Readers): ClusterConfig {
  const matching = (name: string, isFine: (text: string) => boolean, what: string, value = text(name)) => {
    if (value !== undefined && !isFine(value)) problems.push(`${name} must be ${what}, not "${value}".`)
    return value
  }
  const listed = (name: string) =>
    (text(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean)
  const image = (name: string) => {
    const value = matching(name, isImage, 'the name of an image')
    if (value === undefined) problems.push(`${name} is not set. Set it to the image of that name, for example registry.example.com/sac/agent:1.0.0.`)
    const registry = text('DOCKER_REGISTRY')?.replace(/\/+$/, '')
    // A name that begins with a host already has its registry.
    return registry && value && !/^[^/]*[.:][^/]*\//.test(value) ? `${registry}/${value}` : (value ?? '')
  }
  const kubeconfig = text('KUBECONFIG_PATH')
  const host = text('KUBERNETES_SERVICE_HOST')
  if (!kubeconfig && !host) problems.push('RUNTIME=kubernetes needs a cluster: run the server in one, or set KUBECONFIG_PATH.')
  if (!text('INTERNAL_URL'))
    problems.push('INTERNAL_URL is not set. Set it to the address at which pods reach this server’s internal port, for example http://sac-internal.sac.svc.cluster.local:8082.')
  const kind = oneOf('AGENT_VOLUME', ['pvc', 'emptydir'] as const, 'pvc')
  return {
    api: host && !kubeconfig ? { host, port: text('KUBERNETES_SERVICE_PORT') ?? '443' } : undefined,
    kubeconfig,
    namespace: matching('K8S_NAMESPACE', matches(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/), 'the name of a namespace') ?? 'sac-agents',
    agentImage: image('DOCKER_IMAGE'),
    sidecarImage: image('SIDECAR_IMAGE'),
    pullPolicy: oneOf('AGENT_IMAGE_PULL_POLICY', ['IfNotPresent', 'Always', 'Never'] as const, 'IfNotPresent'),
    pullSecrets: listed('AGENT_IMAGE_PULL_SECRETS').filter((item) => matching('AGENT_IMAGE_PULL_SECRETS', isObjectName, 'names of Secrets', item)),
    volume:
      kind === 'emptydir'
        ? { kind }
        : {
            kind,
            size: matching('AGENT_STORAGE_SIZE', isSize, 'an amount like 10Gi') ?? '10Gi',
            storageClass: matching('AGENT_STORAGE_CLASS', isObjectName, 'the name of a storage class'),
          },
    volumeGraceMs: number('AGENT_VOLUME_GRACE_HOURS', 72, 0, LONGEST_GRACE_HOURS) * HOUR_MS,
    runtimeClass: matching('AGENT_RUNTIME_CLASS', isObjectName, 'the name of a runtime class'),
    egress: oneOf('AGENT_EGRESS', ['none', 'model', 'internet'] as const, 'model'),
    closedAddress: matching('AGENT_CLOSED_ADDRESS', matches(/^[\w.:[\]-]+:\d{1,5}$/), 'an address like sac.sac.svc.cluster.local:80'),
    privateModels: listed('MODEL_PRIVATE_HOSTS').map((host) => matching('MODEL_PRIVATE_HOSTS', isHostPattern, 'names, *.names, addresses and networks', host.toLowerCase()) ?? ''),
    clusterDomain: matching('CLUSTER_DOMAIN', isObjectName, 'a domain like cluster.local') ?? 'cluster.local',
    terminals: oneOf('K8S_TERMINALS', ['direct', 'portforward'] as const, kubeconfig ? 'portforward' : 'direct'),
  }
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
