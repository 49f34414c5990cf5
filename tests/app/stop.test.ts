import { expect, test } from 'bun:test'
import { connect } from 'node:net'
import { until } from '../../src/lib/until.ts'
import { startTestApp } from '../support/app.ts'
import { TerminalClient } from '../support/terminal-client.ts'

test('a stop lets running requests finish, tells terminals and streams to come back, and takes nothing new', async () => {
  await using app = await startTestApp()
  const alice = await app.as('alice')
  const agent = await alice.createAgent('Stays')
  const session = await alice.startAgent(agent)
  const login = { authorization: `Bearer ${alice.token}` }
  const terminal = new TerminalClient(`${app.portal.url}/ws/${session}`, login)
  await until(() => terminal.status, { what: 'an open terminal' })
  const streams = await Promise.all(
    ['/events', `/api/sessions/${session}/events`, `/api/workspace/output/watch?agent_id=${agent}`].map((path) => fetch(app.portal.url + path, { headers: login })),
  )
  const heard = streams.map((stream) => stream.text())

  // A request whose body is only half there when the stop begins.
  const body = '{"name":"Made while it stopped"}'
  const { host, hostname, port } = new URL(app.portal.url)
  const head = `Host: ${host}\r\nAuthorization: Bearer ${alice.token}\r\n`
  let answers = ''
  let ended = false
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('data', (data) => {
    answers += data.toString()
  })
  socket.on('close', () => {
    ended = true
  })
  socket.write(`GET /ready HTTP/1.1\r\n${head}\r\n`)
  await until(() => answers.includes('"ready"'), { what: 'readiness' })
  socket.write(`POST /api/agents HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`)
  await until(() => fetch(`${app.portal.url}/health`).then(({ ok }) => ok), { what: 'a server that has read so far' })

  const { portal } = app
  const stopped = portal.stop()
  expect(await terminal.ends()).toBe(1012)
  for (const text of await Promise.all(heard)) expect(text).toContain('retry:')
  await until(
    () =>
      fetch(`${portal.url}/health`).then(
        () => false,
        () => true,
      ),
    { what: 'a closed door' },
  )
  socket.write(body.slice(10))
  await until(() => answers.includes('Made while it stopped'), { what: 'the answer' })
  expect(answers).toContain('HTTP/1.1 201')
  socket.destroy()
  await stopped
  expect(ended || socket.destroyed).toBe(true)

  // The sandbox outlived it, and what was answered is there.
  await app.restart()
  const names = (await alice.ask<{ agents: { name: string }[] }>('GET', '/api/agents')).body.agents.map(({ name }) => name)
  expect(names.sort()).toEqual(['Made while it stopped', 'Stays'])
  const again = new TerminalClient(`${app.portal.url}/ws/${session}`, login)
  again.socket.addEventListener('open', () => again.type('echo still-$((40+2))\n'))
  await again.shows('still-42')
}, 60_000)

test('a fault in one terminal socket closes that socket, and the portal lives on', async () => {
  await using app = await startTestApp()
  const alice = await app.as('alice')
  const session = await alice.startAgent(await alice.createAgent())
  const login = { authorization: `Bearer ${alice.token}` }
  const { hub } = app.portal.context
  const whole = hub.connect.bind(hub)
  hub.connect = (...args) => {
    const connection = whole(...args)
    const message = connection.message.bind(connection)
    connection.message = (bytes) => {
      if (Buffer.from(bytes).includes('break it')) throw new Error('injected')
      message(bytes)
    }
    return connection
  }
  const broken = new TerminalClient(`${app.portal.url}/ws/${session}`, login)
  const other = new TerminalClient(`${app.portal.url}/ws/${session}`, login)
  await until(() => broken.status && other.status, { what: 'two open terminals' })
  broken.type('break it')
  expect(await broken.ends()).toBe(1011)
  other.type('echo other-$((40+2))\n')
  await other.shows('other-42')
  expect((await alice.ask('GET', '/api/auth/me')).status).toBe(200)
}, 60_000)
