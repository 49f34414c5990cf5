// Whether the sandbox's network is closed, as the sidecar finds out.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { proveClosed } from '../../sidecar/knock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { Mirror } from './mirror.ts'

setDefaultTimeout(60_000)

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
afterAll(() => listener.stop(true))

test('an address that should be closed and answers again and again is told to the server; one that does not is no news', async () => {
  await using mirror = new Mirror()
  await mirror.start({ SAC_CLOSED_ADDRESS: `127.0.0.1:${listener.port}` })
  const told: string[] = []
  const onOpen = async () => told.push('open')
  const quiet = [`127.0.0.1:1`, 'no-such-host.invalid:80'].map((address) => proveClosed(address, { onOpen, log: silentLogger }))
  await until(() => mirror.receiver.asked.some(({ kind }) => kind === 'exposure'), { timeoutMs: 20_000, what: 'the news' })
  await Promise.all(quiet)
  expect(told).toEqual([])
})

test('the agent’s page warns while it runs, until it is started anew', async () => {
  const mira = await app.as('mira')
  const agentId = await mira.createAgent()
  const sessionId = await mira.startAgent(agentId)
  const { sessions } = app.portal.context
  const warning = async () => (await mira.ask<{ warning: string | null }>('GET', `/api/sessions/${sessionId}`)).body.warning
  await sessions.noteWarning(agentId, 'Nothing keeps the agents’ networks apart. Ask an admin.')
  expect(await warning()).toContain('networks apart')
  const page = await mira.ask<string>('GET', `/agents/${agentId}`, undefined, { accept: 'text/html' })
  expect(page.body).toContain('<b>Nothing keeps the agents’ networks apart.</b>')
  await mira.ask('POST', `/api/agents/${agentId}/restart`)
  await mira.startAgent(agentId)
  expect(await warning()).not.toBe('Nothing keeps the agents’ networks apart. Ask an admin.')
})
