// A hub behind real WebSockets, as the portal's route does it, without accounts and agents.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { TerminalHub, type ViewerConnection } from '../../src/terminal/hub.ts'
import { ModesMemory } from '../../src/terminal/memory.ts'
import { openUpstream } from '../../src/terminal/open.ts'
import { terminalWebSocket, transportOf } from '../../src/terminal/routes.ts'
import type { ViewerIdentity, ViewerTransport } from '../../src/terminal/viewer.ts'
import type { Program } from './programs.ts'
import { Tab, type TabOptions } from './tab.ts'

interface Socket {
  agentId: number
  identity: ViewerIdentity
  replaces?: string
  connection?: ViewerConnection
}

/** Begins a script that shows `ready` once somebody is there to see it, then waits for a key; no echo, no changed byte. */
export const RAW = 'stty raw -echo; until [ -e go ]; do sleep 0.01; done; printf ready; head -c 1 > /dev/null;'

/** A stage with one program on it, as agent 1. */
export async function show(start: (script: string) => Promise<Program>, script: string) {
  const stack = new AsyncDisposableStack()
  const program = stack.use(await start(script))
  const stage = stack.use(new Stage())
  stage.play(1, program)
  return {
    stage,
    program,
    /** Waits until a script that begins with `RAW` waits for its key. */
    async ready(tab: Tab) {
      await tab.live()
      writeFileSync(join(program.folder, 'go'), '')
      await tab.shows('ready')
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Serves terminals of programs; closes everything at its end and checks that nothing is left. */
export class Stage {
  readonly hub: TerminalHub
  /** The most bytes that ever waited in one socket. */
  mostBuffered = 0
  private readonly programs = new Map<number, Program>()
  private readonly tabs: Tab[] = []
  private readonly server: Bun.Server<Socket>

  private readonly ownFolder?: string

  /** @param folder where the modes of terminals are kept; a stage that follows another one on it is a restarted server. */
  constructor(folder?: string) {
    this.ownFolder = folder ? undefined : mkdtempSync(join(tmpdir(), 'sac-stage-'))
    const hub = new TerminalHub({ openUpstream, logger: silentLogger, memory: new ModesMemory(folder ?? this.ownFolder ?? '') })
    this.hub = hub
    this.server = Bun.serve<Socket, never>({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request, server) => {
        const query = new URL(request.url).searchParams
        const data = {
          agentId: Number(query.get('agent')),
          identity: { userId: Number(query.get('user')), loginId: query.get('login') ?? '' },
          replaces: query.get('replaces') ?? undefined,
        }
        return server.upgrade(request, { data, headers: { 'sec-websocket-protocol': 'tty' } }) ? undefined : new Response('', { status: 400 })
      },
      websocket: {
        ...terminalWebSocket,
        open: (socket) => {
          const { agentId, identity } = socket.data
          const transport: ViewerTransport = {
            ...transportOf(socket),
            send: (frame) => {
              const sent = socket.sendBinary(frame)
              this.mostBuffered = Math.max(this.mostBuffered, socket.getBufferedAmount())
              return sent
            },
          }
          socket.data.connection = hub.connect({ agentId, find: () => this.find(agentId) }, identity, transport, socket.data.replaces)
        },
        message: (socket, message) => (typeof message === 'string' ? socket.close(1003) : socket.data.connection?.message(message)),
        pong: (socket) => socket.data.connection?.pong(),
        drain: (socket) => socket.data.connection?.drain(),
        close: (socket) => socket.data.connection?.closed(),
      },
    })
  }

  get port(): number {
    return this.server.port ?? 0
  }

  /** Puts a program on the stage as the terminal of an agent. */
  play(agentId: number, program: Program): void {
    this.programs.set(agentId, program)
  }

  /** Opens a tab on it. */
  open(agentId: number, options: TabOptions & { user?: number; login?: string; replaces?: string } = {}): Tab {
    const { user = 1, login = 'login', replaces = '' } = options
    const tab = new Tab(`ws://127.0.0.1:${this.server.port}/?agent=${agentId}&user=${user}&login=${login}&replaces=${replaces}`, options)
    this.tabs.push(tab)
    return tab
  }

  async find(agentId: number) {
    const program = this.programs.get(agentId)
    if (!program) throw new Error('no such program')
    return program.address
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const tab of this.tabs) tab.leave()
    await until(() => this.hub.counts.viewers === 0, { what: 'everybody gone' })
    this.hub[Symbol.dispose]()
    if (this.hub.counts.upstreams + this.hub.counts.terminals > 0) throw new Error('terminals are left')
    await this.server.stop(true)
    if (this.ownFolder) rmSync(this.ownFolder, { recursive: true, force: true })
  }
}
