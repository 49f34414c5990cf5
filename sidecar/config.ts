// The sidecar's environment; nothing else of it is read.

export interface SidecarConfig {
  internalUrl: string
  tokenFile: string
  watchDir: string
  journal: string
  socket: string
}

/** Reads the configuration. Throws Error that names what is missing. */
export function readSidecarConfig(env: Record<string, string | undefined> = process.env): SidecarConfig {
  const need = (name: string) => {
    const value = env[name]
    if (!value) throw new Error(`${name} is not set`)
    return value
  }
  return {
    internalUrl: need('SAC_INTERNAL_URL').replace(/\/$/, ''),
    tokenFile: need('SAC_TOKEN_FILE'),
    watchDir: env.SAC_WATCH_DIR || '/workspace/output',
    journal: need('SAC_JOURNAL'),
    socket: env.SAC_SOCKET || '/run/sac/sidecar.sock',
  }
}

/** Socket that a hook inside the sandbox speaks to. */
export function hookSocket(env: Record<string, string | undefined> = process.env): string {
  return env.SAC_SOCKET || '/run/sac/sidecar.sock'
}
