// The Claude Code executable: the operator's own, or the pinned one from npm, installed once into DATA_DIR.
import { constants, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { randomToken } from '../../lib/crypto.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'

/** The version that is installed when nobody says otherwise. */
export const CLAUDE_VERSION = '2.1.330'
const PACKAGE = '@anthropic-ai/claude-code'
const LIMIT_MS = 280_000
// What the unpacked package weighs; only the bar depends on it.
const USUAL_BYTES = 250 * 1024 ** 2

/** Finds or installs the CLI. */
export class ClaudeCli {
  private installing?: Promise<string>
  private readonly listeners = new Set<(bytes: number) => void>()

  constructor(private readonly options: { dataDir: string; claudeBin?: string; logger: Logger }) {}

  /** Path of the executable. `progress` hears words while it is installed. Throws AppError `unavailable`. */
  async ensure(progress: (detail: string, done?: number, total?: number) => void): Promise<string> {
    const { claudeBin } = this.options
    if (claudeBin) {
      const path = claudeBin.includes('/') ? claudeBin : (Bun.which(claudeBin) ?? claudeBin)
      await access(path, constants.X_OK).catch((cause: unknown) => {
        throw new AppError('unavailable', 'claude_missing', `CLAUDE_BIN names ${claudeBin}, which cannot be run. Ask an admin to correct it.`, { cause })
      })
      return path
    }
    const installed = join(this.folder, 'claude')
    if (existsSync(installed)) return installed
    const listener = (bytes: number) => progress(`Downloading Claude Code ${CLAUDE_VERSION}, ${Math.round(bytes / 1024 ** 2)} MB`, Math.min(bytes, USUAL_BYTES), USUAL_BYTES)
    this.listeners.add(listener)
    listener(0)
    try {
      this.installing ??= this.install().finally(() => {
        this.installing = undefined
      })
      return await this.installing
    } finally {
      this.listeners.delete(listener)
    }
  }

  private get folder(): string {
    return join(this.options.dataDir, 'claude', CLAUDE_VERSION)
  }

  private async install(): Promise<string> {
    const work = join(this.options.dataDir, 'claude', `.installing-${randomToken(6)}`)
    mkdirSync(work, { recursive: true, mode: 0o755 })
    const watch = setInterval(() => void sizeOf(work).then((bytes) => this.tell(bytes)), 500)
    try {
      await this.run(installCommand(work), work)
      const binary = join(work, 'node_modules', ...platformPackage().split('/'), 'claude')
      if (!existsSync(binary)) throw failed('the package holds no executable for this machine')
      mkdirSync(this.folder, { recursive: true, mode: 0o755 })
      // One rename: a killed install leaves a folder to throw away, never half an executable.
      renameSync(binary, join(this.folder, 'claude'))
      this.options.logger.info('Claude Code is installed', { version: CLAUDE_VERSION })
      return join(this.folder, 'claude')
    } finally {
      clearInterval(watch)
      rmSync(work, { recursive: true, force: true })
    }
  }

  private async run(command: string[], cwd: string): Promise<void> {
    // npm and bun need their own settings (registry, proxy, certificates) from the operator's environment.
    const child = Bun.spawn(command, { cwd, env: { ...Bun.env, BUN_BE_BUN: '1', CI: '1' }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
    clearTimeout(late)
    if (code !== 0) throw failed(errors.trim().split('\n').at(-1) ?? `exit code ${code}`)
  }

  private tell(bytes: number): void {
    for (const listener of this.listeners) listener(bytes)
  }
}

function platformPackage(): string {
  const musl = existsSync('/etc/alpine-release') ? '-musl' : ''
  return `${PACKAGE}-${process.platform}-${process.arch}${musl}`
}

function installCommand(folder: string): string[] {
  const wanted = `${platformPackage()}@${CLAUDE_VERSION}`
  const npm = Bun.which('npm')
  return npm
    ? [npm, 'install', '--prefix', folder, '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error', wanted]
    : [process.execPath, 'add', '--cwd', folder, '--ignore-scripts', wanted]
}

function failed(why: string): AppError {
  return new AppError(
    'unavailable',
    'claude_not_installed',
    `Claude Code ${CLAUDE_VERSION} could not be installed from npm (${why.slice(0, 200)}). Check the network and try again, or set CLAUDE_BIN to an installed one.`,
  )
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  return names.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}
