import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { PortalProcess } from '../support/portal-process.ts'
import { TerminalClient } from '../support/terminal-client.ts'
import { randomNumbers, SEED } from './random.ts'

setDefaultTimeout(120_000)

test('the server is killed in the middle of output: the same shell is there afterwards, in its modes, and nothing is shown twice', async () => {
  const random = randomNumbers()
  await using portal = await PortalProcess.start({ CLAUDE_BIN: '/bin/bash', RUNTIME: 'local' })
  const token = await portal.signIn('admin', portal.adminPassword)
  const agent = await portal.runningAgent(token, 'Agent')
  const { session_id: session } = await portal.ask<{ session_id: string }>(token, 'POST', '/api/sessions', { agent_id: agent })
  const open = (resume?: { stream: string; offset: number }) => new TerminalClient(`${portal.url}/ws/${session}`, { authorization: `Bearer ${token}` }, resume)
  const before = open()
  await before.shows('$')
  const file = join(portal.dataDir, 'data', 'terminals', String(agent))
  const kept = () => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  before.type('marker=survived-$((6*7)); seq 1 1000000; echo done-$((1+1))\r')
  const moment = random(3_000_000)
  await until(() => before.bytes > moment, { intervalMs: 1, what: `some output (seed ${SEED})` })
  await portal.end('SIGKILL')
  await until(() => before.closed, { what: 'the end of the socket' })
  const resume = { stream: before.status?.stream ?? '', offset: before.offset }
  await portal.start()
  const [fresh, back] = [open(), open(resume)]
  for (const client of [fresh, back]) await until(() => client.status, { what: 'a status' })
  back.type('echo [$marker]\r')
  for (const client of [fresh, back]) {
    await client.shows('[survived-42]', 60_000)
    // The old offset means nothing in the new stream: it begins with an empty screen.
    expect(client.status?.stream).not.toBe(resume.stream)
    expect(client.text.split('[survived-42]').length).toBe(2)
  }
  // Bash switches paste brackets on at its prompt.
  await until(() => kept().includes('\u001b[?2004h'), { what: 'the mode of the prompt' })
  for (const client of [fresh, back]) client.socket.close()

  await portal.end('SIGKILL')
  await portal.start()
  const third = open()
  await until(() => third.status, { what: 'a status' })
  await third.shows('\u001b[?2004h')
  expect(third.text.startsWith('\u001b[?2004h')).toBe(true)
  third.socket.close()
})
