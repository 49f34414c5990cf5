// A real Redis of a test's own: on a free port, in a folder of its own, to be killed and started again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { freePort } from './free-port.ts'

/** Whether there is a redis-server to start; tests that need one say so when they are skipped. */
export const hasRedis = Bun.which('redis-server') !== null
if (!hasRedis) process.stdout.write('skipped: tests of Redis need redis-server\n')

export class TestRedis {
  readonly password = `secret-${Bun.randomUUIDv7('base64url')}`
  readonly port = freePort()
  private readonly folder = mkdtempSync(join(tmpdir(), 'sac-redis-'))
  private process?: Bun.Subprocess

  get url(): string {
    return `redis://:${this.password}@127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--requirepass', this.password]
    this.process = Bun.spawn(['redis-server', ...settings], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
    await until(async () => (await this.command(['ping'])) === 'PONG', { what: 'Redis' })
  }

  /** Publishes a message of any size. */
  publish(channel: string, message: string): Promise<string> {
    return this.command(['-x', 'publish', channel], message)
  }

  async kill(): Promise<void> {
    this.process?.kill('SIGKILL')
    await this.process?.exited
  }

  private async command(words: string[], input = ''): Promise<string> {
    const connection = ['-p', String(this.port), '-a', this.password, '--no-auth-warning']
    const cli = Bun.spawn(['redis-cli', ...connection, ...words], { stdin: new Blob([input]), stdout: 'pipe', stderr: 'ignore' })
    return (await new Response(cli.stdout).text()).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
