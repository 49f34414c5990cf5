// What the terminal benches share: ttyd and the portal with the same program in them, and clients.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { freePort } from '../../tests/support/free-port.ts'
import { PortalProcess } from '../../tests/support/portal-process.ts'
import { signalAll } from '../../tests/support/processes.ts'
import { eachLine } from './lines.ts'

export { quantile, table } from './report.ts'

type Child = Bun.Subprocess<'ignore', 'pipe' | 'ignore', 'ignore'>
type BunWebSocket = WebSocket & { pause(): void; resume(): void }
type SocketOptions = { protocols: string[]; headers: Record<string, string>; perMessageDeflate: boolean }
const Socket = WebSocket as unknown as new (url: string, options: SocketOptions) => BunWebSocket

/** One way to a terminal in which `program.sh` runs. */
export interface Way {
  name: string
  url: string
  headers: Record<string, string>
  /** The program's working directory. */
  folder: string
}

const PROGRAM = join(import.meta.dir, 'program.sh')
const GREETING = JSON.stringify({ AuthToken: '', columns: 80, rows: 24 })
const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color', LANG: 'C.UTF-8' }

/** Everything that a bench started; ends all of it. */
export class Stand {
  readonly folder = mkdtempSync(join(tmpdir(), 'sac-bench-'))
  private readonly children: Bun.Subprocess[] = []
  private started?: Promise<PortalProcess>

  spawn(command: string[], stdout: 'pipe' | 'ignore' = 'ignore'): Child {
    const child = Bun.spawn(command, { cwd: this.folder, env: ENVIRONMENT, stdin: 'ignore', stdout, stderr: 'ignore' })
    this.children.push(child)
    return child
  }

  /** The whole portal in a process of its own, its database and its sandboxes; started with the first call. */
  portal(): Promise<PortalProcess> {
    this.started ??= PortalProcess.start({ CLAUDE_BIN: PROGRAM, RUNTIME: 'local' })
    return this.started
  }

  /** An agent of the portal: sign-in, ownership, upgrade, hub, dtach, bubblewrap, program. */
  async agent(name: string): Promise<Way> {
    const portal = await this.portal()
    const token = await portal.signIn('admin', portal.adminPassword)
    const id = await portal.runningAgent(token, name)
    // It runs already: asking again names its session.
    const { session_id: session } = await portal.ask<{ session_id: string }>(token, 'POST', '/api/sessions', { agent_id: id })
    const sandboxes = join(portal.dataDir, 'data', 'sandboxes')
    const folder = readdirSync(sandboxes).find((entry) => entry.endsWith(`-${id}`)) ?? ''
    return { name, url: `${portal.url.replace(/^http/, 'ws')}/ws/${session}`, headers: { authorization: `Bearer ${token}` }, folder: join(sandboxes, folder, 'workspace') }
  }

  /** The program in ttyd, directly or with dtach between. ttyd starts one for each connection. */
  async ttyd(name: string, { dtach = false } = {}): Promise<Way> {
    const ttyd = process.env.TTYD_BIN || Bun.which('ttyd')
    if (!ttyd) throw new Error('This bench needs ttyd 1.7 as the limit to compare with: set TTYD_BIN or install it.')
    const port = freePort()
    const inDtach = ['dtach', '-A', join(this.folder, `ttyd-${port}`), '-E', '-z', PROGRAM]
    this.spawn([ttyd, '-p', String(port), '-i', '127.0.0.1', '-W', ...(dtach ? inDtach : [PROGRAM])])
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      )
    await until(answers, { what: 'ttyd' })
    return { name, url: `ws://127.0.0.1:${port}/ws`, headers: {}, folder: this.folder }
  }

  private strays(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    return pids.filter((pid) => commandOf(pid).includes(this.folder)).map(Number)
  }

  /** Reads a way in another process; `last` is what it has heard so far. */
  reader(way: Way, keys: string, bytesPerSecond?: number): { readonly last: number; end(): Promise<void> } {
    const script = join(import.meta.dir, 'terminal-reader.ts')
    const child = this.spawn([process.execPath, script, JSON.stringify(way), keys, ...(bytesPerSecond ? [String(bytesPerSecond)] : [])], 'pipe')
    const state = {
      last: 0,
      async end() {
        child.kill()
        await child.exited
      },
    }
    void eachLine(child.stdout, (line) => {
      state.last = Number(line)
    })
    return state
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) child.kill()
    await Promise.all(this.children.map((child) => child.exited))
    // The dtach that ttyd started is nobody's child.
    signalAll(this.strays(), 'SIGKILL')
    await (await this.started?.catch(() => undefined))?.[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A client in this process. */
export class Client {
  heard = 0
  /** Whether the server has said a first word: from then on keys go through. */
  live = false
  listener: (bytes: Uint8Array) => void = () => {}
  private readonly socket: BunWebSocket

  constructor({ url, headers }: Way) {
    this.socket = new Socket(url, { protocols: ['tty'], headers, perMessageDeflate: false })
    this.socket.binaryType = 'arraybuffer'
    this.socket.onopen = () => this.socket.send(Buffer.from(GREETING))
    this.socket.onmessage = ({ data }) => {
      const frame = new Uint8Array(data as ArrayBuffer)
      this.live = true
      if (frame[0] !== 0x30) return
      this.heard += frame.byteLength - 1
      this.listener(frame.subarray(1))
    }
  }

  /** Resolves when keys reach the program. */
  async ready(): Promise<void> {
    await until(() => this.live, { what: 'a terminal that answers' })
    await Bun.sleep(SETTLE_MS)
  }

  type(keys: string): void {
    this.socket.send(Buffer.from(`0${keys}`))
  }

  /** Really stops reading: the bytes stay in the sockets between. */
  stop(): void {
    this.socket.pause()
  }

  goOn(): void {
    this.socket.resume()
  }

  close(): void {
    this.socket.resume()
    this.socket.close()
  }
}

// The program of a new ttyd connection needs a moment until it reads keys.
const SETTLE_MS = 500

/** Waits without doing anything; benches may. */
export const pause = (ms: number): Promise<void> => Bun.sleep(ms)

/** Whether the program of a way has left its file `ended`. */
export const hasEnded = ({ folder }: Way): boolean => existsSync(join(folder, 'ended'))

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // @NOTE it has just ended.
    return ''
  }
}
