// A peer that speaks ttyd's protocol, for machines without ttyd: one program in a PTY per connection.

interface Peer {
  port: number
  credential: string
  command: string[]
  cwd: string
  env: Record<string, string>
}

interface Connection {
  terminal?: Bun.Terminal
  child?: Bun.Subprocess
  paused: boolean
  waiting: Uint8Array[]
}

const frameOf = (bytes: Uint8Array) => Buffer.concat([Buffer.from('0'), bytes])

/** Serves until it is killed. Refuses whoever lacks the credential in the header or in the greeting. */
export function startTtydPeer({ port, credential, command, cwd, env }: Peer): { kill(): void; exited: Promise<unknown> } {
  const token = Buffer.from(credential).toString('base64')
  const ended = Promise.withResolvers<void>()
  const server = Bun.serve<Connection, never>({
    port,
    hostname: '127.0.0.1',
    fetch(request, self) {
      if (request.headers.get('authorization') !== `Basic ${token}`) return new Response('', { status: 401 })
      return self.upgrade(request, { data: { paused: false, waiting: [] }, headers: { 'sec-websocket-protocol': 'tty' } }) ? undefined : new Response('', { status: 400 })
    },
    websocket: {
      // Nothing is ever dropped: what the other side does not read waits here.
      backpressureLimit: 1 << 30,
      message(socket, message) {
        const bytes = Buffer.from(message)
        const body = bytes.subarray(1)
        if (bytes[0] === 0x7b) return greet(socket, JSON.parse(bytes.toString()))
        if (bytes[0] === 0x30) socket.data.terminal?.write(body)
        if (bytes[0] === 0x31) {
          const { columns, rows } = JSON.parse(body.toString())
          socket.data.terminal?.resize(columns, rows)
        }
        if (bytes[0] === 0x32) socket.data.paused = true
        if (bytes[0] === 0x33) {
          socket.data.paused = false
          for (const part of socket.data.waiting.splice(0)) socket.sendBinary(frameOf(part))
        }
      },
      close: (socket) => socket.data.child?.kill('SIGHUP'),
    },
  })
  const greet = (socket: Bun.ServerWebSocket<Connection>, greeting: { AuthToken: string; columns: number; rows: number }) => {
    if (greeting.AuthToken !== token) return socket.close(1008)
    const data = (_terminal: Bun.Terminal, bytes: Uint8Array) => {
      if (socket.data.paused) socket.data.waiting.push(bytes.slice())
      else socket.sendBinary(frameOf(bytes))
    }
    const child = Bun.spawn(command, { cwd, env, terminal: { cols: greeting.columns, rows: greeting.rows, data } })
    socket.data.child = child
    socket.data.terminal = child.terminal
    child.exited.then(() => socket.close(1000))
  }
  return {
    kill() {
      void server.stop(true)
      ended.resolve()
    },
    exited: ended.promise,
  }
}
