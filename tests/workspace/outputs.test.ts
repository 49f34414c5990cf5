import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { until } from '../../src/lib/until.ts'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'

setDefaultTimeout(30_000)

let app: TestApp
let alice: Person
let agentId: number
let token: string
beforeAll(async () => {
  app = await startTestApp()
  alice = await app.as('alice')
  agentId = await alice.createAgent()
  const agent = await app.portal.context.agents.present(agentId)
  if (!agent) throw new Error('no agent')
  token = (await app.portal.context.agents.nextGeneration(agent)).sandboxToken
})
afterAll(() => app[Symbol.asyncDispose]())

async function upload(path: string, text: string, change: { token?: string; sha256?: string; base?: string } = {}) {
  const body = Buffer.from(text)
  const answer = await fetch(`${change.base ?? app.portal.internalUrl}/api/internal/output/upload?path=${encodeURIComponent(path)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${change.token ?? token}`, 'x-content-sha256': change.sha256 ?? sha256Hex(body), 'content-type': 'application/octet-stream' },
    body,
  })
  return { status: answer.status, body: (await answer.json()) as { seq?: number; duplicate?: boolean; error?: { code: string } } }
}

const list = async (path = '', after = '') =>
  (
    await alice.ask<{ files: { name: string; size: number; is_directory: boolean }[]; next: string | null }>(
      'GET',
      `/api/workspace/output/files?agent_id=${agentId}&path=${encodeURIComponent(path)}&after=${after}`,
    )
  ).body

test('a file is stored once, listed, and downloaded byte for byte under its own name', async () => {
  const name = 'e\u0301 "quoted"; ünï.txt'
  expect((await upload(`a/${name}`, 'hello')).status).toBe(201)
  expect((await upload(`a/${name}`, 'hello')).body.duplicate).toBe(true)
  expect((await upload(`a/${name}`, 'hello again')).status).toBe(200)
  expect((await list()).files).toMatchObject([{ name: 'a', is_directory: true }])
  expect((await list('a')).files).toMatchObject([{ name, size: 11 }])
  const answer = await alice.ask('GET', `/api/workspace/output/files/download?agent_id=${agentId}&path=${encodeURIComponent(`a/${name}`)}`)
  expect(String(answer.body)).toBe('hello again')
  expect(answer.headers.get('content-security-policy')).toContain('sandbox')
  expect(answer.headers.get('content-disposition')).toContain("filename*=UTF-8''e%CC%81%20%22quoted%22%3B%20%C3%BCn%C3%AF.txt")
})

test('only the present sandbox token opens the internal listener, and the public one does not know it', async () => {
  expect((await upload('x', 'x', { token: 'wrong-token-wrong-token' })).status).toBe(401)
  expect((await upload('x', 'x', { token: alice.token })).status).toBe(401)
  expect((await upload('x', 'x', { base: app.portal.url })).status).toBe(404)
  const other = await alice.createAgent('Other')
  const agent = await app.portal.context.agents.present(other)
  if (!agent) throw new Error('no agent')
  const first = (await app.portal.context.agents.nextGeneration(agent)).sandboxToken
  await app.portal.context.agents.nextGeneration(agent)
  expect((await upload('x', 'x', { token: first })).status).toBe(401)
})

test.each(['../x', '/etc/passwd', 'a//b', 'a\\b', 'a\0b', ''])('the path %j is refused and changes nothing', async (path) => {
  const answer = await upload(path, 'x')
  expect(answer.status).toBe(422)
  expect(answer.body.error?.code).toBe('invalid_path')
})

test('bytes that do not match their checksum are refused and nothing of them stays', async () => {
  expect((await upload('checksum.txt', 'x', { sha256: sha256Hex('y') })).body.error?.code).toBe('checksum_mismatch')
  expect((await list()).files.some((file) => file.name === 'checksum.txt')).toBe(false)
})

test('a file and a folder cannot have one name', async () => {
  await upload('clash/inner', 'x')
  expect((await upload('clash', 'x')).status).toBe(409)
  expect((await upload('clash/inner/deeper', 'x')).status).toBe(409)
})

test('deleting a folder with a wildcard in its name deletes only that folder', async () => {
  for (const path of ['a_b/1', 'axb/1', 'a%/1', 'a_b2']) await upload(path, 'x')
  for (const path of ['a_b/', 'a%/']) await alice.ask('DELETE', `/api/workspace/output/files?agent_id=${agentId}&path=${encodeURIComponent(path)}`)
  const names = (await list()).files.map((file) => file.name)
  expect(names).toContain('axb')
  expect(names).toContain('a_b2')
  expect(names).not.toContain('a_b')
  expect(names).not.toContain('a%')
})

test('parallel uploads at the edge of the quota: as many as fit, and the counters are right', async () => {
  const quinn = await app.as('quinn')
  const user = await app.portal.context.users.checkPassword('quinn', 'a phrase for testing', 'test')
  const agent = await quinn.createAgent('Quota')
  const row = await app.portal.context.agents.present(agent)
  if (!row) throw new Error('no agent')
  const { sandboxToken } = await app.portal.context.agents.nextGeneration(row)
  await app.portal.context.settings.setForUser(user.id, 'output_max_bytes', 50)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => upload(`q${at}`, '0123456789', { token: sandboxToken })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(5)
  expect(answers.filter(({ body }) => body.error?.code === 'quota_exceeded')).toHaveLength(15)
})

test('ranges answer parts, and impossible ones are refused', async () => {
  await upload('range.txt', '0123456789')
  const get = (range: string) => alice.ask('GET', `/api/workspace/output/files/download?agent_id=${agentId}&path=range.txt`, undefined, { range })
  expect(await get('bytes=2-4')).toMatchObject({ status: 206, body: '234' })
  expect(await get('bytes=-3')).toMatchObject({ status: 206, body: '789' })
  expect(await get('bytes=5-1')).toMatchObject({ status: 416 })
  expect(await get('bytes=100-')).toMatchObject({ status: 416 })
  expect(await get('bytes=0-,0-')).toMatchObject({ status: 200, body: '0123456789' })
})

test('a burst of two hundred changes reaches a listener whole, in order, and again after a reconnect', async () => {
  const events: { seq: number; path: string }[] = []
  const listen = async (lastId?: string) => {
    const abort = new AbortController()
    const answer = await fetch(`${app.portal.url}/api/workspace/output/watch?agent_id=${agentId}`, {
      signal: abort.signal,
      headers: { authorization: `Bearer ${alice.token}`, ...(lastId ? { 'last-event-id': lastId } : {}) },
    })
    const reader = answer.body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    void (async () => {
      for (;;) {
        const part = await reader?.read().catch(() => undefined)
        if (!part || part.done) return
        text += decoder.decode(part.value, { stream: true })
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
          text = text.slice(end + 2)
          if (data?.startsWith('{"action"')) events.push(JSON.parse(data))
        }
      }
    })()
    return () => abort.abort()
  }
  const { outputs } = app.portal.context
  const start = await outputs.lastSeq(agentId)
  const stop = await listen(String(start))
  await Promise.all(Array.from({ length: 100 }, (_, at) => upload(`burst/${at}`, `${at}`)))
  await until(() => events.length === 100, { what: 'the first hundred' })
  stop()
  await Promise.all(Array.from({ length: 100 }, (_, at) => upload(`burst/later-${at}`, `${at}`)))
  const again = await listen(String(events.at(-1)?.seq))
  await until(() => events.length === 200, { what: 'all two hundred' })
  again()
  expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 200 }, (_, at) => start + 1 + at))
}, 30_000)

test('a list of more than a thousand entries has further pages, for programs and for people', async () => {
  const all = Array.from({ length: 1200 }, (_, at) => String(at).padStart(4, '0'))
  await Promise.all(all.map((name) => upload(`many/${name}`, 'x')))
  const first = await list('many')
  const second = await list('many', first.next ?? '')
  expect([first.files.length, second.files.length, second.next]).toEqual([1000, 200, null])
  expect([...first.files, ...second.files].map((file) => file.name)).toEqual(all)
  const shown: string[] = []
  let next: string | undefined = `/agents/${agentId}/output?path=many`
  for (let pages = 0; next !== undefined && pages < 20; pages++) {
    const html: string = String((await alice.ask('GET', next)).body)
    shown.push(...[...html.matchAll(/title="(\d{4})"/g)].map(([, name = '']) => name))
    next = /data-more="([^"]+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
  }
  expect(shown).toEqual(all)
}, 30_000)
