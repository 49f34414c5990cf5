// What the terminal benches share: the programs, the hub's process, a client, and figures.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'

type Child = Bun.Subprocess<'ignore', 'pipe' | 'ignore', 'ignore'>

/** One way to a terminal; `url` and `greeting` are what a client needs. */
export interface Way {
  name: string
  url: string
  greeting: string
}

export interface HubStats {
  rssBytes: number
  cpuMs: number
  terminals: number
  upstreams: number
  viewers: number
}

const GREETING = JSON.stringify({ AuthToken: '', columns: 80, rows: 24 })
const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color', LANG: 'C.UTF-8' }

/** Everything that a bench started; ends all of it. */
export class Stand {
  readonly folder = mkdtempSync(join(tmpdir(), 'sac-bench-'))
  private readonly children: Bun.Subprocess[] = []
  private port = 0

  spawn(command: string[], stdout: 'pipe' | 'ignore' = 'ignore'): Child {
    const child = Bun.spawn(command, { cwd: this.folder, env: ENVIRONMENT, stdin: 'ignore', stdout, stderr: 'ignore' })
    this.children.push(child)
    return child
  }

  /** A script in dtach, reached through the hub as agent `agentId`. */
  async hub(name: string, agentId: number, script: string): Promise<Way> {
    const socket = join(this.folder, String(agentId))
    this.spawn(['dtach', '-N', socket, '-E', '-z', 'bash', '-c', script])
    await until(() => Bun.spawnSync(['test', '-S', socket]).exitCode === 0, { what: 'dtach' })
    return { name, url: `ws://127.0.0.1:${await this.hubPort()}/?agent=${agentId}&user=${agentId}`, greeting: GREETING }
  }

  /** A script in ttyd, directly or with dtach between. */
  async ttyd(name: string, script: string, { dtach = false } = {}): Promise<Way> {
    const ttyd = process.env.TTYD_BIN || Bun.which('ttyd')
    if (!ttyd) throw new Error('This bench needs ttyd 1.7 as the limit to compare with: set TTYD_BIN or install it.')
    const port = freePort()
    const command = ['bash', '-c', script]
    const inDtach = ['dtach', '-A', join(this.folder, `ttyd-${port}`), '-E', '-z', ...command]
    this.spawn([ttyd, '-p', String(port), '-i', '127.0.0.1', '-W', ...(dtach ? inDtach : command)])
    await until(
      () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => true,
          () => false,
        ),
      { what: 'ttyd' },
    )
    return { name, url: `ws://127.0.0.1:${port}/ws`, greeting: GREETING }
  }

  /** Reads a way in another process; `last` is what it has heard so far. */
  reader({ url, greeting }: Way, keys: string, bytesPerSecond?: number): { last: number; end(): Promise<void> } {
    const script = join(import.meta.dir, 'terminal-reader.ts')
    const child = this.spawn([process.execPath, script, url, greeting, keys, ...(bytesPerSecond ? [String(bytesPerSecond)] : [])], 'pipe')
    const state = {
      last: 0,
      async end() {
        child.kill()
        await child.exited
      },
    }
    void lines(child, (line) => {
      state.last = Number(line)
    })
    return state
  }

  async stats(): Promise<HubStats> {
    return (await (await fetch(`http://127.0.0.1:${await this.hubPort()}/stats`)).json()) as HubStats
  }

  async hubPort(): Promise<number> {
    if (this.port) return this.port
    const child = this.spawn([process.execPath, join(import.meta.dir, 'terminal-server.ts'), this.folder], 'pipe')
    void lines(child, (line) => {
      this.port = Number(line)
    })
    return until(() => this.port, { what: 'the hub’s process' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) child.kill()
    await Promise.all(this.children.map((child) => child.exited))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A client in this process. */
export class Client {
  heard = 0
  listener: (bytes: Uint8Array) => void = () => {}
  private readonly socket: WebSocket

  constructor({ url, greeting }: Way) {
    const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; perMessageDeflate: boolean }) => WebSocket
    this.socket = new Socket(url, { protocols: ['tty'], perMessageDeflate: false })
    this.socket.binaryType = 'arraybuffer'
    this.socket.onopen = () => this.socket.send(Buffer.from(greeting))
    this.socket.onmessage = ({ data }) => {
      const frame = new Uint8Array(data as ArrayBuffer)
      if (frame[0] !== 0x30) return
      this.heard += frame.byteLength - 1
      this.listener(frame.subarray(1))
    }
  }

  get open(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  type(keys: string): void {
    this.socket.send(Buffer.from(`0${keys}`))
  }

  close(): void {
    this.socket.close()
  }
}

/** The value below which `share` of the sorted samples lie. */
export function quantile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Prints rows under one headline, columns aligned. */
export function table(headline: string, rows: string[][]): void {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  process.stdout.write(
    `${headline}\n${rows.map((row) => `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')}`).join('\n')}\n`,
  )
}

/** Waits without doing anything; benches may. */
export const pause = (ms: number): Promise<void> => Bun.sleep(ms)

async function lines(child: Child, heard: (line: string) => void): Promise<void> {
  const reader = child.stdout?.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    const parts = (rest + decoder.decode(read.value, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) heard(line)
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  probe.stop(true)
  return probe.port
}
