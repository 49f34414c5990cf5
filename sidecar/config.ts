// The sidecar's environment; nothing else of it is read.
import type { Level } from '../src/lib/logger.ts'

export interface SidecarConfig {
  /** Base URL of the server's internal listener, without a slash at its end. */
  internalUrl: string
  /** File that holds the sandbox token and nothing else. */
  tokenFile: string
  watchDir: string
  /** Path of the SQLite file. */
  journal: string
  /** Unix socket that the hooks speak to. */
  socket: string
  /** `host:port` that nothing in the sandbox may reach; undefined where that is not asked. */
  closedAddress?: string
  logLevel: Level
}

type Env = Record<string, string | undefined>

const DEFAULT_SOCKET = '/run/sac/sidecar.sock'
const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']

/** Reads the configuration. Throws Error that names what is missing or wrong. */
export function readSidecarConfig(env: Env = process.env): SidecarConfig {
  const need = (name: string) => {
    const value = env[name]
    if (!value) throw new Error(`${name} is not set`)
    return value
  }
  const internalUrl = need('SAC_INTERNAL_URL').replace(/\/+$/, '')
  if (!/^https?:\/\//.test(internalUrl) || !URL.canParse(internalUrl)) throw new Error('SAC_INTERNAL_URL is not an http or https URL')
  return {
    internalUrl,
    tokenFile: need('SAC_TOKEN_FILE'),
    watchDir: (env.SAC_WATCH_DIR || '/workspace/output').replace(/(?<=.)\/+$/, ''),
    journal: need('SAC_JOURNAL'),
    socket: hookSocket(env),
    closedAddress: env.SAC_CLOSED_ADDRESS || undefined,
    logLevel: LEVELS.find((level) => level === env.LOG_LEVEL) ?? 'info',
  }
}

/** Socket that a hook inside the sandbox speaks to. */
export function hookSocket(env: Env = process.env): string {
  return env.SAC_SOCKET || DEFAULT_SOCKET
}

// Without its compilers the program needs 20 MiB less and is hardly slower: what takes time here is native or waits. The little
// that calls into the system (see release.ts) needs the rest of the machinery. A small heap is collected before it grows.
const LEAN = { BUN_JSC_useBaselineJIT: '0', BUN_JSC_useDFGJIT: '0', BUN_JSC_useFTLJIT: '0', BUN_JSC_useRegExpJIT: '0', BUN_JSC_forceMiniVMMode: '1' }
const OURS = ['PATH', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'LOG_LEVEL', 'SAC_INTERNAL_URL', 'SAC_TOKEN_FILE', 'SAC_WATCH_DIR', 'SAC_JOURNAL', 'SAC_SOCKET', 'SAC_CLOSED_ADDRESS']

/** The environment to run with: ours alone, and small. Undefined when this is it already. */
export function leanEnvironment(env: Env = process.env): Record<string, string> | undefined {
  if (env.BUN_JSC_useBaselineJIT === LEAN.BUN_JSC_useBaselineJIT) return undefined
  return { ...Object.fromEntries(OURS.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))), ...LEAN }
}
