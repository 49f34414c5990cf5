import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { startPortal } from '../../src/server.ts'
import { testDatabase } from '../support/database.ts'

const PASSWORD = 'canary phrase of the admin'
const NEXT = 'canary phrase that is new'
const WRONG = 'canary phrase that is wrong'
const KEY = 'sk-canary-provider-key-0123456789'
const PLAIN_KEY = 'canaryproviderkeywithoutprefix'
const HIDDEN = 'canary value of a variable'
const JWT_SECRET = 'canary secret that signs the logins of this portal'
const SECRET_KEY = 'c'.repeat(64)

test('a whole story at the most talkative level leaves no secret in the log', async () => {
  const lines: string[] = []
  const dataDir = mkdtempSync(join(tmpdir(), 'sac-log-'))
  const databaseUrl = await testDatabase()
  const databasePassword = decodeURIComponent(new URL(databaseUrl).password)
  const config = readConfig({
    API_GATEWAY_PORT: '0',
    INTERNAL_PORT: '0',
    DATA_DIR: dataDir,
    CLAUDE_BIN: '/bin/bash',
    RUNTIME: 'local',
    JWT_SECRET,
    SECRET_KEYS: SECRET_KEY,
    LOG_LEVEL: 'debug',
    ADMIN_PASSWORD: PASSWORD,
    REDIS_URL: 'redis://:canary-redis-password@127.0.0.1:1',
  })
  const logger = createLogger({ ...config.log, write: (line) => void lines.push(line) })
  const portal = await startPortal(config, { logger, databaseUrl })
  const secrets = [PASSWORD, NEXT, WRONG, KEY, PLAIN_KEY, HIDDEN, JWT_SECRET, SECRET_KEY, databasePassword, 'canary-redis-password']
  try {
    await portal.context.users.seedAdmin(PASSWORD)
    const ask = async <T>(method: string, path: string, token = '', body?: unknown, headers: Record<string, string> = {}) => {
      const answer = await fetch(portal.url + path, {
        method,
        redirect: 'manual',
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
        body: body ? JSON.stringify(body) : undefined,
      })
      const text = await answer.text()
      return (answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {}) as T
    }
    const signIn = (password: string) => ask<{ token: string }>('POST', '/api/auth/login', '', { username: 'admin', password })
    await signIn(WRONG)
    const { token } = await signIn(PASSWORD)
    secrets.push(token, token.split('.')[2] ?? '')
    // Tokens where they do not belong, and requests that fail in every way.
    await ask('GET', `/api/auth/me?token=${token}`)
    await ask('GET', `/login?next=/&access_token=${token}`, '', undefined, { accept: 'text/html', referer: `${portal.url}/?token=${token}` })
    await ask('GET', `/nothing/${token}`, token)
    await ask('POST', '/api/auth/login', '', { username: PASSWORD, password: PASSWORD, token })
    await ask('PUT', '/api/auth/password', token, { current_password: WRONG, new_password: NEXT })
    await ask('PUT', '/api/auth/password', token, { current_password: PASSWORD, new_password: NEXT })
    const { path } = await ask<{ path: string }>('POST', '/api/admin/invitations', token, {})
    secrets.push(path.slice(path.indexOf('=') + 1))
    await ask('GET', path)
    const agentConfig = { anthropic_auth_token: KEY, custom_envs: [{ key: 'HIDDEN', value: HIDDEN, secret: true }] }
    const { id } = await ask<{ id: number }>('POST', '/api/agents', token, { name: 'Talkative', config: agentConfig })
    await ask('PUT', `/api/agents/${id}`, token, { config: { anthropic_auth_token: PLAIN_KEY } })
    await ask('PUT', `/api/agents/${id}`, token, { config: { anthropic_base_url: `https://user:${PLAIN_KEY}@example.com` } })
    const { session_id } = await ask<{ session_id: string }>('POST', '/api/sessions', token, { agent_id: id })
    const status = async () => (await ask<{ status: string }>('GET', `/api/sessions/${session_id}`, token)).status
    await until(async () => (await status()) === 'running', { timeoutMs: 40_000, what: 'a running agent' })
    const { ticket } = await ask<{ ticket: string }>('POST', `/api/sessions/${session_id}/ticket`, token)
    secrets.push(ticket)
    await ask('GET', `/ws/${session_id}?ticket=${ticket}`)
    await ask('GET', `/ws/${session_id}?ticket=${ticket}`)
    await ask('DELETE', `/api/agents/${id}`, token)
    await portal.context.database.db.execute('alter table agents rename to gone')
    await ask('GET', '/api/agents', token)
    await portal.context.database.db.execute('alter table gone rename to agents')
    await ask('POST', '/api/auth/logout', token)
    for (const state of await portal.context.runtime.list()) await portal.context.runtime.remove({ ...state, birth: null })
  } finally {
    await portal.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const log = lines.join('')
  expect(lines.length).toBeGreaterThan(10)
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow()
  for (const secret of secrets) expect({ secret, lines: lines.filter((line) => secret !== '' && line.includes(secret)) }).toEqual({ secret, lines: [] })
  expect(log).not.toContain('canary')
}, 120_000)
