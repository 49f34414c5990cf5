import { expect, setDefaultTimeout, test } from 'bun:test'
import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { activityOf } from '../../sidecar/relay.ts'
import { until } from '../../src/lib/until.ts'
import { Mirror, SIDECAR, startMirror } from './mirror.ts'

setDefaultTimeout(60_000)

const SCRIPT = join(import.meta.dir, '../../chart/files/agent/conversation-sync.mjs')
const node = Bun.which('node')

const EVENTS: [string, unknown][] = [
  ['UserPromptSubmit', { state: 'working' }],
  ['PreToolUse', { state: 'working' }],
  ['PostToolUse', { state: 'working' }],
  ['Notification', { state: 'needs-you' }],
  ['PermissionRequest', { state: 'needs-you' }],
  ['Stop', { state: 'waiting' }],
  ['SessionStart', { state: 'waiting' }],
  ['SubagentStop', undefined],
  ['', undefined],
]

test.each(EVENTS)('the event %j means %j', (event, expected) => {
  const activity = activityOf(JSON.stringify({ event }))
  expect(activity && ({ state: activity.state } as unknown)).toEqual(expected)
})

test.each(['', 'null', '[]', '7', '{"event":', '{"event":{"a":1}}', '{}'])('the line %j means nothing', (line) => {
  expect(activityOf(line)).toBeUndefined()
})

interface Told {
  code: number
  output: string
  ms: number
}

async function tell(command: string[], socket: string, input: string): Promise<Told> {
  const began = performance.now()
  const child = Bun.spawn(command, { env: { SAC_SOCKET: socket, PATH: '/usr/bin:/bin' }, stdin: new Blob([input]), stdout: 'pipe', stderr: 'pipe' })
  const [out, error, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, output: out + error, ms: performance.now() - began }
}

const TELLERS: [string, string[]][] = [['sidecar notify', [SIDECAR, 'notify']], ...(node ? ([['the node script', [node, SCRIPT]]] as [string, string[]][]) : [])]

test.each(TELLERS)('%s tells the server what the CLI does', async (_name, command) => {
  await using mirror = await startMirror()
  const { activities } = mirror.receiver
  const hook = {
    session_id: 's',
    transcript_path: '/home/agent/.claude/t.jsonl',
    hook_event_name: 'PreToolUse',
    tool_name: 'Write',
    tool_input: { file_path: '/workspace/output/page.html', content: 'x'.repeat(1_000_000) },
  }
  expect(await tell(command, mirror.socket, JSON.stringify(hook))).toMatchObject({ code: 0, output: '' })
  await until(() => activities.length === 1, { what: 'the first state' })
  await tell(command, mirror.socket, JSON.stringify({ hook_event_name: 'Notification', message: 'Claude needs your permission' }))
  await until(() => activities.length === 2, { what: 'the second state' })
  expect(activities).toEqual([
    { state: 'working', detail: 'Write: page.html' },
    { state: 'needs-you', detail: 'Claude needs your permission' },
  ])
})

test.each(TELLERS)('%s is silent and ends well whatever happens', async (_name, command) => {
  await using mirror = new Mirror()
  for (const input of ['', 'no json', 'null', '[]', '{"hook_event_name":7,"tool_input":"x"}']) {
    expect(await tell(command, join(mirror.folder, 'nobody.sock'), input)).toMatchObject({ code: 0, output: '' })
  }
  // Somebody who listens and never answers.
  const deaf = Bun.listen({ unix: join(mirror.folder, 'deaf.sock'), socket: { data() {} } })
  const told = await tell(command, join(mirror.folder, 'deaf.sock'), '{"hook_event_name":"Stop"}')
  expect(told).toMatchObject({ code: 0, output: '' })
  expect(told.ms).toBeLessThan(3000)
  deaf.stop(true)
  // Input that never ends.
  const child = Bun.spawn(command, { env: { SAC_SOCKET: mirror.socket }, stdin: 'pipe', stdout: 'pipe' })
  expect(await child.exited).toBe(0)
})

test('only the newest state is sent when the server is slow, and it is sent again when the server was away', async () => {
  await using mirror = await startMirror()
  let slow = 0
  mirror.receiver.fault = async ({ kind }) => {
    if (kind === 'activity' && slow++ === 0) await until(() => told === 20, { what: 'all notices' })
    return slow < 4 ? { status: 503 } : undefined
  }
  let told = 0
  for (let index = 0; index < 20; index++) {
    await line(mirror.socket, JSON.stringify({ event: index === 19 ? 'Stop' : 'PostToolUse', detail: `${index}` }))
    told++
  }
  await until(() => mirror.receiver.activities.length > 0, { what: 'a state' })
  expect(mirror.receiver.activities).toEqual([{ state: 'waiting', detail: undefined }])
  expect(slow).toBeLessThan(8)
})

test('callers that send nonsense, too much or nothing, or come in crowds, cost little and stop nobody', async () => {
  await using mirror = await startMirror()
  const crowd: Socket[] = []
  for (let caller = 0; caller < 100; caller++) crowd.push(connect(mirror.socket).on('error', () => {}))
  await until(() => crowd.filter((socket) => socket.closed).length >= 68, { what: 'the end of those that are too many' })
  // The others lose their place after two seconds.
  await until(() => crowd.every((socket) => socket.closed), { what: 'the end of the silent ones' })
  const before = mirror.memoryKiB('VmRSS')
  for (let round = 0; round < 20; round++) await line(mirror.socket, 'x'.repeat(200_000))
  await line(mirror.socket, '\0\xff{}')
  await line(mirror.socket, JSON.stringify({ event: 'Stop', detail: 'd'.repeat(100_000) }))
  await line(mirror.socket, JSON.stringify({ event: 'Notification', detail: 'd'.repeat(10_000) }))
  await until(() => mirror.receiver.activities.length === 1, { what: 'the one good notice' })
  expect(mirror.receiver.activities[0]?.detail).toHaveLength(200)
  expect(mirror.memoryKiB('VmRSS') - before).toBeLessThan(16 * 1024)
  mirror.write('a')
  await mirror.inStep()
})

test('a storm of states reaches the server as a few, the last one among them', async () => {
  await using mirror = await startMirror()
  const { activities } = mirror.receiver
  for (let state = 0; state < 100; state++) await line(mirror.socket, JSON.stringify({ event: 'PreToolUse', detail: `tool ${state}` }))
  await until(() => activities.at(-1)?.detail === 'tool 99', { what: 'the last state' })
  expect(activities.length).toBeLessThan(50)
})

test('a link or a folder where the socket should be is not followed, and the mirror works without', async () => {
  await using mirror = new Mirror()
  writeFileSync(join(mirror.folder, 'victim'), 'mine', { mode: 0o644 })
  symlinkSync(join(mirror.folder, 'victim'), mirror.socket)
  await mirror.start()
  expect(lstatSync(join(mirror.folder, 'victim')).mode & 0o777).toBe(0o644)
  expect(lstatSync(mirror.socket).isSocket()).toBe(true)
  expect(lstatSync(mirror.socket).mode & 0o007).toBe(0)
  await mirror.end()
  rmSync(mirror.socket, { force: true })
  mkdirSync(mirror.socket)
  await mirror.start()
  expect(mirror.log).toContain('hooks cannot be heard')
  mirror.write('a')
  await mirror.inStep()
})

/** Sends one line and waits until the other end closes. */
function line(socket: string, text: string): Promise<void> {
  return new Promise((resolve) => {
    connect(socket, function (this: Socket) {
      this.write(`${text}\n`)
    })
      .on('error', () => resolve())
      .on('close', () => resolve())
      .resume()
  })
}
