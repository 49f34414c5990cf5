// A hub behind a WebSocket in a process of its own: `?agent=N&user=U` is the dtach socket FOLDER/N. Prints its port.
import { join } from 'node:path'
import { silentLogger } from '../../src/lib/logger.ts'
import { TerminalHub, type ViewerConnection } from '../../src/terminal/hub.ts'
import { openUpstream } from '../../src/terminal/open.ts'
import { terminalWebSocket } from '../../src/terminal/routes.ts'

interface Socket {
  agentId: number
  userId: number
  connection?: ViewerConnection
}

const folder = process.argv[2] ?? '.'
const hub = new TerminalHub({ openUpstream, logger: silentLogger })

const server = Bun.serve<Socket, never>({
  port: 0,
  hostname: '127.0.0.1',
  reusePort: false,
  fetch(request, self) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/stats') {
      Bun.gc(true)
      const { user, system } = process.cpuUsage()
      return Response.json({ rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, ...hub.counts })
    }
    const data = { agentId: Number(searchParams.get('agent')), userId: Number(searchParams.get('user')) }
    return self.upgrade(request, { data, headers: { 'sec-websocket-protocol': 'tty' } }) ? undefined : new Response('', { status: 400 })
  },
  websocket: {
    ...terminalWebSocket,
    open(socket) {
      const { agentId, userId } = socket.data
      socket.data.connection = hub.connect(
        { agentId, find: async () => ({ kind: 'dtach', socketPath: join(folder, String(agentId)) }) },
        { userId, loginId: 'bench' },
        { send: (frame) => socket.sendBinary(frame), getBufferedAmount: () => socket.getBufferedAmount(), close: (code, reason) => socket.close(code, reason) },
      )
    },
    message: (socket, message) => (typeof message === 'string' ? socket.close(1003) : socket.data.connection?.message(message)),
    drain: (socket) => socket.data.connection?.drain(),
    close: (socket) => socket.data.connection?.closed(),
  },
})
process.stdout.write(`${server.port}\n`)
