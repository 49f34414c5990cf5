// The portal as a process of its own, so that a test can kill it: the same program, a real database, a real runtime.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { foldersOf, type SandboxFolders, sandboxesRoot } from '../../src/runtime/local/layout.ts'
import { readNote } from '../../src/runtime/local/note.ts'
import { jobCli } from '../runtime/inside.ts'
import { PASSWORD } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'

const MAIN = join(import.meta.dir, '..', '..', 'src', 'main.ts')

export interface SessionView {
  session_id: string
  agent_id: number
  status: string
  reason: string | null
  warning: string | null
}

interface StartOptions {
  env?: Record<string, string>
  dataDir?: string
  main?: string
}

/** One portal with its data; its process can be killed and started again. */
export class ServerProcess {
  private child?: Bun.Subprocess<'ignore', 'pipe', 'inherit'>
  private url = ''
  private token = ''

  private constructor(
    readonly dataDir: string,
    private readonly env: Record<string, string>,
    private readonly main: string,
  ) {}

  /** `main` is the program, the portal's own unless told. */
  static async start({ env = {}, dataDir = mkdtempSync(join(tmpdir(), 'sac-test-server-')), main = MAIN }: StartOptions = {}): Promise<ServerProcess> {
    const cli = mkdtempSync(join(tmpdir(), 'sac-test-cli-'))
    const all = {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: await testDatabase(),
      DATA_DIR: dataDir,
      CLAUDE_BIN: jobCli(cli),
      ADMIN_PASSWORD: PASSWORD,
      RUNTIME: 'local',
      API_GATEWAY_PORT: '0',
      INTERNAL_PORT: '0',
      LOG_LEVEL: 'error',
      LOG_FORMAT: 'console',
      ...env,
    }
    const server = new ServerProcess(dataDir, all, main)
    await server.up()
    return server
  }

  /** Starts the process and signs in. */
  async up(): Promise<void> {
    this.url = ''
    this.child = Bun.spawn([process.execPath, this.main, 'serve'], { env: this.env, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
    const reader = this.child.stdout.getReader()
    const decoder = new TextDecoder()
    for (let said = ''; !this.url; ) {
      const { value, done } = await reader.read()
      if (done) throw new Error(`the server ended: ${said}`)
      said += decoder.decode(value)
      this.url = /ready at (\S+)/.exec(said)?.[1] ?? ''
    }
    reader.releaseLock()
    const answer = await fetch(`${this.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: PASSWORD }),
    })
    this.token = ((await answer.json()) as { token: string }).token
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.child?.exited
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    return { status: answer.status, body: (text.startsWith('{') ? JSON.parse(text) : text) as T }
  }

  async createAgent(name = 'Agent'): Promise<number> {
    return (await this.ask<{ id: number }>('POST', '/api/agents', { name })).body.id
  }

  async open(agentId: number): Promise<SessionView> {
    return (await this.ask<SessionView>('POST', '/api/sessions', { agent_id: agentId })).body
  }

  async session(agentId: number): Promise<SessionView | undefined> {
    return (await this.ask<{ sessions: SessionView[] }>('GET', '/api/sessions')).body.sessions.find((session) => session.agent_id === agentId)
  }

  /** Waits until the agent's session has this status; anything but starting in between is told. */
  async becomes(agentId: number, status: string, timeoutMs = 20_000): Promise<SessionView> {
    let last: SessionView | undefined
    return until(
      async () => {
        last = await this.session(agentId)
        if (last?.status === 'failed' && status !== 'failed') throw new Error(`failed: ${last.reason}`)
        return last?.status === status ? last : undefined
      },
      { timeoutMs, intervalMs: 50, what: `agent ${agentId} ${status}` },
    )
  }

  folders(agentId: number): SandboxFolders {
    return foldersOf(sandboxesRoot(this.dataDir), { userId: 1, agentId })
  }

  /** Number of the sandbox's first process; 0 without one. */
  pid(agentId: number): number {
    return readNote(this.folders(agentId))?.pid ?? 0
  }

  /** Processes that hold this portal's terminals or work for its sandboxes, as words of their command lines. */
  processes(): string[][] {
    return readdirSync('/proc').flatMap((pid) => {
      const words = /^\d+$/.test(pid) ? wordsOf(pid) : []
      return words.some((word) => word.includes(`${this.dataDir}/`)) && Number(pid) !== this.child?.pid ? [words] : []
    })
  }

  terminals(): string[][] {
    return this.processes().filter((words) => words[0] === 'dtach')
  }

  /** Sidecars of this portal's sandboxes, by number. */
  sidecars(): number[] {
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && wordsOf(pid, 'environ').some((word) => word.startsWith(`SAC_JOURNAL=${this.dataDir}/`)))
      .map(Number)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child?.exitCode !== null || this.child.signalCode !== null) await this.up().catch(() => {})
    const { body } = await this.ask<{ agents?: { id: number }[] } | { id: number }[]>('GET', '/api/agents')
    for (const { id } of Array.isArray(body) ? body : (body.agents ?? [])) await this.ask('DELETE', `/api/agents/${id}`)
    await until(() => this.terminals().length + this.sidecars().length === 0, { timeoutMs: 20_000, what: 'the end of all sandboxes and sidecars' })
    this.child?.kill('SIGTERM')
    await this.child?.exited
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

function wordsOf(pid: string, file = 'cmdline'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}
