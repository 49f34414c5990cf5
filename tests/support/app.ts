// A whole portal for tests: real database, real listeners on free ports, real local runtime, and people in it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { readConfig } from '../../src/config.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import type { LocalRuntime, LocalRuntimeOptions } from '../../src/runtime/local/adapter.ts'
import { type Portal, startPortal } from '../../src/server.ts'
import type { StartLimits } from '../../src/sessions/starter.ts'
import { testDatabase } from './database.ts'
import { waysHere } from './machine.ts'

export const PASSWORD = 'a phrase for testing'

export interface Answer<T = Record<string, unknown>> {
  status: number
  headers: Headers
  body: T
}

/** Somebody who is signed in and speaks to the JSON API. */
export class Person {
  constructor(
    private readonly app: TestApp,
    readonly token: string,
  ) {}

  /** The same person by another login. */
  with(token: string): Person {
    return new Person(this.app, token)
  }

  async ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await fetch(this.app.portal.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...json, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: 'manual',
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: (answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as T }
  }

  async createAgent(name = 'Agent'): Promise<number> {
    const { body, status } = await this.ask<{ id: number }>('POST', '/api/agents', { name })
    if (status !== 201) throw new Error(`no agent: ${status} ${JSON.stringify(body)}`)
    return body.id
  }

  /** Starts an agent and waits until its terminal answers; returns the session's id. */
  async startAgent(agentId: number): Promise<string> {
    const { body } = await this.ask<{ session_id: string }>('POST', '/api/sessions', { agent_id: agentId })
    await until(
      async () => {
        const session = (await this.ask<{ status: string; reason: string }>('GET', `/api/sessions/${body.session_id}`)).body
        if (session.status === 'failed') throw new Error(session.reason)
        return session.status === 'running'
      },
      { timeoutMs: 30_000, what: 'a running session' },
    )
    return body.session_id
  }
}

export class TestApp {
  constructor(
    public portal: Portal,
    readonly dataDir: string,
    readonly databaseUrl: string,
    readonly restart: () => Promise<void>,
  ) {}

  /** Registers and signs in. */
  async as(username: string): Promise<Person> {
    const { users, logins, settings } = this.portal.context
    await settings.set('registration_mode', 'open', undefined)
    const user = await users.register({ username, email: `${username}@example.com`, displayName: username, password: PASSWORD })
    return new Person(this, (await logins.open(user, { userAgent: 'test', address: '127.0.0.1' })).token)
  }

  async admin(): Promise<Person> {
    const { users, logins } = this.portal.context
    const user = (await users.seedAdmin(PASSWORD)) ?? (await users.checkPassword('admin', PASSWORD, 'test'))
    return new Person(this, (await logins.open(user, { userAgent: 'test', address: '127.0.0.1' })).token)
  }

  /** Signs somebody in on a page, by keys; the page that follows is there. */
  async signIn(page: Page, login: string): Promise<void> {
    await page.goto(`${this.portal.url}/login`)
    await page.fill('#login', login)
    await page.fill('#password', PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForURL(({ pathname }) => pathname !== '/login')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { runtime } = this.portal.context
    // Not before: the reconcile loop would start again what its rows want.
    await this.portal.stop()
    for (const state of await runtime.list()) await runtime.remove({ ...state, birth: null })
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

/** Tests of everything but isolation go on where the machine forbids sandboxes; those of isolation are skipped there. */
async function openWhereNothingIsolates(dataDir: string): Promise<Record<string, string>> {
  if ((await waysHere()).ways.length > 0) return {}
  // Outside of a sandbox we may be root, whose prompt is another one.
  const shell = join(dataDir, 'shell')
  writeFileSync(shell, "#!/bin/sh\nPS1='$ ' exec /bin/bash --norc\n", { mode: 0o755 })
  return { SAC_ALLOW_UNSANDBOXED: '1', CLAUDE_BIN: shell }
}

interface TestAppOptions {
  claudeBin?: string
  env?: Record<string, string>
  startLimits?: StartLimits
  /** After how much quiet an agent counts as idle, instead of the setting. */
  idleAfterMs?: () => Promise<number>
  /** Makes the runtime in place of the local one. */
  runtime?: (options: LocalRuntimeOptions) => LocalRuntime
}

/** Starts a portal whose agents run `claudeBin` (bash unless told). */
export async function startTestApp({ claudeBin, env = {}, startLimits, idleAfterMs, runtime }: TestAppOptions = {}): Promise<TestApp> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sac-test-'))
  const databaseUrl = await testDatabase()
  const config = readConfig({
    API_GATEWAY_PORT: '0',
    INTERNAL_PORT: '0',
    DATA_DIR: dataDir,
    CLAUDE_BIN: '/bin/bash',
    RUNTIME: 'local',
    ...(await openWhereNothingIsolates(dataDir)),
    ...(claudeBin && { CLAUDE_BIN: claudeBin }),
    ...env,
  })
  const sidecarBin = join(import.meta.dir, '..', '..', 'dist', 'sidecar')
  const own = () => runtime?.({ ...config.runtime, dataDir, sidecarBin, logger: silentLogger, internalUrl: () => app.portal.internalUrl })
  const start = () => startPortal(config, { logger: silentLogger, databaseUrl, startLimits, idleAfterMs, runtime: own() })
  const app: TestApp = new TestApp(await start(), dataDir, databaseUrl, async () => {
    await app.portal.stop()
    app.portal = await start()
  })
  return app
}
