// The Claude Code executable: the operator's own, or the pinned one from npm, installed once into DATA_DIR.
import { constants, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { access, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { randomToken } from '../../lib/crypto.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'

/** The version that is installed when nobody says otherwise. */
export const CLAUDE_VERSION = '2.1.330'
const PACKAGE = '@anthropic-ai/claude-code'
const LIMIT_MS = 280_000
const UNFINISHED = '.installing-'
// What the unpacked package weighs; only the bar depends on it.
const USUAL_BYTES = 250 * 1024 ** 2

export interface ClaudeCliOptions {
  dataDir: string
  claudeBin?: string
  /** What npm or Bun install with: PATH, registry, proxy, certificates. */
  installEnvironment: Record<string, string>
  logger: Logger
}

/** Finds or installs the CLI. */
export class ClaudeCli {
  private installing?: Promise<string>
  private readonly listeners = new Set<(bytes: number) => void>()

  constructor(private readonly options: ClaudeCliOptions) {}

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
    await this.removeUnfinished()
    const work = join(this.options.dataDir, 'claude', `${UNFINISHED}${randomToken(6)}`)
    mkdirSync(work, { recursive: true, mode: 0o755 })
    const watch = setInterval(() => void sizeOf(work).then((bytes) => this.tell(bytes)), 500)
    try {
      await this.run(installCommand(work, this.options.installEnvironment.PATH), work)
      const binary = join(work, 'node_modules', ...platformPackage().split('/'), 'claude')
      if (!existsSync(binary)) throw failed('the package holds no executable for this machine')
      mkdirSync(this.folder, { recursive: true, mode: 0o755 })
      await onDisk(binary)
      // One rename: a killed install leaves a folder to throw away, never half an executable.
      renameSync(binary, join(this.folder, 'claude'))
      this.options.logger.info('Claude Code is installed', { version: CLAUDE_VERSION })
      return join(this.folder, 'claude')
    } finally {
      clearInterval(watch)
      rmSync(work, { recursive: true, force: true })
    }
  }

  // What killed installations left. One that another server is at now is young.
  private async removeUnfinished(): Promise<void> {
    const folder = join(this.options.dataDir, 'claude')
    for (const name of (await readdir(folder).catch(() => [])).filter((entry) => entry.startsWith(UNFINISHED))) {
      const { mtimeMs } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? { mtimeMs: Number.POSITIVE_INFINITY }
      if (Date.now() - mtimeMs > LIMIT_MS) await rm(join(folder, name), { recursive: true, force: true })
    }
  }

  private async run(command: string[], cwd: string): Promise<void> {
    const child = Bun.spawn(command, { cwd, env: { ...this.options.installEnvironment, BUN_BE_BUN: '1', CI: '1' }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
    clearTimeout(late)
    if (code !== 0) throw failed(tellingLine(errors) ?? (code === 137 ? 'it took longer than five minutes' : `exit code ${code}`))
  }

  private tell(bytes: number): void {
    for (const listener of this.listeners) listener(bytes)
  }
}

// What npm does by itself (three tries, minutes in all) is longer than people wait for a reason.
const PATIENCE = ['--fetch-retries=1', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=2000', '--fetch-timeout=60000']

/** The line that says what went wrong: neither a code alone nor the advice around it. */
function tellingLine(errors: string): string | undefined {
  const lines = errors
    .split('\n')
    .map((line) => line.replace(/^(npm (error|ERR!)|error:)\s*/i, '').trim())
    .filter((line) => line !== '' && !/^(code|errno|syscall|path|A complete log|\/.*\.log$)/i.test(line))
  return lines[0]
}

/** A power cut after the rename must not find an empty executable under the final name. */
async function onDisk(path: string): Promise<void> {
  const file = await open(path, 'r')
  await file.sync().finally(() => file.close())
}

function platformPackage(): string {
  const musl = existsSync('/etc/alpine-release') ? '-musl' : ''
  return `${PACKAGE}-${process.platform}-${process.arch}${musl}`
}

function installCommand(folder: string, path: string | undefined): string[] {
  const wanted = `${platformPackage()}@${CLAUDE_VERSION}`
  const npm = Bun.which('npm', { PATH: path })
  return npm
    ? [npm, 'install', '--prefix', folder, '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error', ...PATIENCE, wanted]
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
