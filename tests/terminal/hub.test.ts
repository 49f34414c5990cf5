import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { ModesMemory } from '../../src/terminal/memory.ts'
import { inDtach, inTtyd } from './programs.ts'
import { Stage, show } from './stage.ts'

setDefaultTimeout(30_000)

test('at most eight tabs of a terminal and twenty of a user; whoever leaves makes room', async () => {
  await using on = await show(inDtach, 'cat')
  const tabs = Array.from({ length: 8 }, (_, at) => on.stage.open(1, { user: at }))
  await Promise.all(tabs.map((tab) => tab.live()))
  expect(await on.stage.open(1, { user: 99 }).ends()).toBe(4429)
  tabs[3]?.leave()
  await until(() => on.stage.hub.counts.viewers === 7, { what: 'room' })
  await on.stage.open(1, { user: 99 }).live()
  const many = Array.from({ length: 20 }, (_, at) => on.stage.open(10 + at, { user: 50 }))
  await Promise.all(many.map((tab) => until(() => tab.status, { what: 'a status' })))
  expect(await on.stage.open(77, { user: 50 }).ends()).toBe(4429)
})

test.each([
  ['9', 1003],
  ['', 1003],
  ['1not json', 1003],
  ['1[80,24]', 1003],
  ['{"AuthToken":""}', 1003],
])('the frame %j closes the tab with %d, and the terminal lives', async (frame, code) => {
  await using on = await show(inDtach, 'cat')
  const [bad, good] = [on.stage.open(1), on.stage.open(1)]
  await Promise.all([bad.live(), good.live()])
  bad.frame(frame)
  bad.type('not heard\r')
  expect(await bad.ends()).toBe(code)
  good.type('alive\r')
  await good.shows('alive\r\nalive')
  expect(good.output.toString()).not.toContain('not heard')
})

test('a greeting of a wrong kind never reaches a terminal', async () => {
  await using on = await show(inDtach, 'cat')
  const tab = on.stage.open(1, { size: { columns: Number.NaN, rows: 3 } })
  expect(await tab.ends()).toBe(1003)
  expect(on.stage.hub.counts).toMatchObject({ terminals: 0, upstreams: 0 })
})

test('ended logins are closed with 4401, and from that moment nothing of them reaches the program', async () => {
  await using on = await show(inDtach, 'stty -echo; cat > typed')
  const [ended, other] = [on.stage.open(1, { login: 'a' }), on.stage.open(1, { login: 'b' })]
  await Promise.all([ended.live(), other.live()])
  expect(on.stage.hub.loginIds().sort()).toEqual(['a', 'b'])
  ended.stop()
  on.stage.hub.endLogins(['a', 'x'])
  ended.type('too late\r')
  ended.goOn()
  expect(await ended.ends()).toBe(4401)
  other.type('in time\r')
  await until(async () => (await Bun.file(join(on.program.folder, 'typed')).text()).includes('in time'), { what: 'the keys' })
  expect(await Bun.file(join(on.program.folder, 'typed')).text()).toBe('in time\n')
  on.stage.hub.closeViewers({ agentId: 1, userId: 2 }, 4403, 'not yours')
  expect(other.closed).toBeUndefined()
  on.stage.hub.closeViewers({ agentId: 1, userId: 1 }, 4403, 'not yours')
  expect(await other.ends()).toBe(4403)
})

test('a dropped agent closes its tabs with 4404, a stopping server all of them with 1012; nothing is left', async () => {
  await using on = await show(inDtach, 'cat')
  await using second = await inDtach('cat')
  on.stage.play(2, second)
  const [one, two, waiting] = [on.stage.open(1), on.stage.open(2), on.stage.open(3)]
  await Promise.all([one.live(), two.live(), until(() => waiting.status)])
  expect(waiting.status?.state).toBe('connecting')
  on.stage.hub.drop(1)
  expect(await one.ends()).toBe(4404)
  on.stage.hub.endAll()
  expect([await two.ends(), await waiting.ends()]).toEqual([1012, 1012])
  await until(() => on.stage.hub.counts.viewers === 0)
  expect(on.stage.hub.counts).toEqual({ terminals: 0, upstreams: 0, viewers: 0 })
})

test('typing is noted once in half a minute for each agent', async () => {
  await using on = await show(inDtach, 'cat')
  await using second = await inDtach('cat')
  on.stage.play(2, second)
  const noted: number[] = []
  on.stage.hub.onInput((agentId) => noted.push(agentId))
  const [one, same, two] = [on.stage.open(1), on.stage.open(1), on.stage.open(2)]
  await Promise.all([one.live(), same.live(), two.live()])
  expect(noted).toEqual([])
  for (const tab of [one, same, two, one]) tab.type('x\r')
  await Promise.all([same.shows('x\r\nx'), two.shows('x\r\nx')])
  expect(noted.sort()).toEqual([1, 2])
})

for (const [kind, start] of [
  ['dtach', inDtach],
  ['ttyd', inTtyd],
] as const)
  test(`${kind}: an upstream that goes and comes back is found again, as another stream; keys of the time between are not lost`, async () => {
    await using on = await show(start, 'echo begin; stty size; cat')
    const tab = on.stage.open(1, { size: { columns: 77, rows: 21 } })
    await tab.live()
    tab.type('first\r')
    await tab.shows('first\r\nfirst')
    const { stream } = tab
    await on.program.end()
    await until(() => tab.status?.state === 'connecting', { what: 'the loss' })
    await on.program.startAgain()
    tab.type('second\r')
    await tab.live()
    await until(() => tab.output.toString().split('second').length === 3, { what: 'the echo of the terminal and of the program' })
    expect(tab.stream).not.toBe(stream)
    tab.leave()
    const later = on.stage.open(1, { resume: { stream, offset: 0 } })
    await later.shows('second')
    expect(later.statuses[0]).toMatchObject({ reset: true })
  })

test('a connection that replaces another of the same tab is let in even when all places are taken, and the old one is heard no more', async () => {
  await using on = await show(inDtach, 'stty -echo; cat > typed')
  const tabs = Array.from({ length: 8 }, () => on.stage.open(1))
  await Promise.all(tabs.map((tab) => tab.live()))
  const [old] = tabs
  const seat = old?.status?.seat ?? ''
  old?.stop()
  // Somebody else's word for it counts for nothing.
  for (const stranger of [on.stage.open(1, { user: 2, replaces: seat }), on.stage.open(1, { replaces: 'no such seat' })]) expect(await stranger.ends()).toBe(4429)
  const back = on.stage.open(1, { replaces: seat })
  await back.live()
  old?.type('too late\r')
  back.type('in time\r')
  old?.goOn()
  expect(await old?.ends()).toBe(1000)
  await until(async () => (await Bun.file(join(on.program.folder, 'typed')).text()).includes('in time'), { what: 'the keys' })
  expect(await Bun.file(join(on.program.folder, 'typed')).text()).toBe('in time\n')
})

test('input is told as taken when the program reads it and not before, so that a page never sends more than fits', async () => {
  const [total, window] = [2_000_000, 48 * 1024]
  await using on = await show(inDtach, `stty raw -echo; until [ -e go ]; do sleep 0.01; done; head -c ${total} | wc -c; cat`)
  const tab = on.stage.open(1)
  await tab.live()
  let [sent, sentAt] = [0, performance.now()]
  const pump = () => {
    while (sent < total && sent - (tab.status?.typed ?? 0) <= window) {
      const part = Math.min(16 * 1024, total - sent)
      tab.type('x'.repeat(part))
      sent += part
      sentAt = performance.now()
    }
    return sent
  }
  await until(() => pump() > 0 && performance.now() - sentAt > 600, { what: 'a full way to the program' })
  expect(sent).toBeLessThan(total / 2)
  await Bun.write(join(on.program.folder, 'go'), '')
  await until(() => pump() === total, { timeoutMs: 20_000, intervalMs: 5, what: 'everything sent' })
  await tab.shows(String(total), 20_000)
  expect(tab.closed).toBeUndefined()
})

test('ttyd gets its credential twice and nothing else; a wrong one is refused with a sentence', async () => {
  await using program = await inTtyd('echo $TERM; cat')
  const { address } = program
  if (address.kind !== 'ttyd') throw new Error('not a ttyd')
  const { openUpstream } = await import('../../src/terminal/open.ts')
  const heard: string[] = []
  const sink = { data: (bytes: Uint8Array) => heard.push(Buffer.from(bytes).toString()), taken() {}, closed: () => heard.push('closed') }
  const size = { columns: 80, rows: 24 }
  await expect(openUpstream({ ...address, credential: 'agent:wrong' }, size, sink, 5000)).rejects.toMatchObject({ kind: 'unavailable', code: 'terminal_unreachable' })
  const upstream = await openUpstream(address, size, sink, 5000)
  upstream.write(Buffer.from('hello\r'))
  await until(() => heard.join('').split('hello').length === 3, { what: 'the echo of the terminal and of the program' })
  upstream.close()
  expect(heard).not.toContain('closed')
})

test('an upstream that accepts and says nothing, or is not there, is given up in time', async () => {
  const { openUpstream } = await import('../../src/terminal/open.ts')
  const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const sink = { data() {}, taken() {}, closed() {} }
  const size = { columns: 80, rows: 24 }
  const began = performance.now()
  for (const address of [
    { kind: 'ttyd', url: `ws://127.0.0.1:${silent.port}/ws`, credential: 'a:b' },
    { kind: 'ttyd', url: 'ws://127.0.0.1:1/ws', credential: 'a:b' },
    { kind: 'dtach', socketPath: '/nonexistent/socket' },
  ] as const)
    await expect(openUpstream(address, size, sink, 300)).rejects.toMatchObject({ kind: 'unavailable' })
  expect(performance.now() - began).toBeLessThan(3000)
  silent.stop(true)
})

test('a terminal that nobody looks at stays connected; it ends with its program', async () => {
  await using on = await show(inDtach, 'until [ -e stop ]; do sleep 0.01; done')
  const tab = on.stage.open(1)
  await tab.live()
  tab.leave()
  await until(() => on.stage.hub.counts.viewers === 0)
  expect(on.stage.hub.counts).toMatchObject({ terminals: 1, upstreams: 1 })
  await Bun.write(join(on.program.folder, 'stop'), '')
  await until(() => on.stage.hub.counts.terminals === 0, { what: 'the end of the terminal' })
  expect(existsSync(join(on.program.folder, 'socket'))).toBe(false)
})

test('a server that comes later has the program paint again, in the modes that it has switched; tabs of before begin anew', async () => {
  await using program = await inDtach(`python3 -c "
import os, signal, sys
print('\\033[?1049h\\033[?2004h\\033[?1000;1006h\\033[?25l', end='', flush=True)
last = None
def paint(*_):
  global last
  size = tuple(os.get_terminal_size())
  if size != last: print('painted %d' % size[1], flush=True)
  last = size
signal.signal(signal.SIGWINCH, paint)
open('up', 'w')
while True: signal.pause()
"`)
  await until(() => existsSync(join(program.folder, 'up')), { what: 'the program' })
  const kept = join(program.folder, 'terminals')
  const modes = '\u001b[?1049h\u001b[?2004h\u001b[?1000h\u001b[?1006h\u001b[?25l'
  // Somebody was there from the program's beginning.
  new ModesMemory(kept).keep(1, Buffer.from(modes))
  let before = { stream: 'of another server', offset: 1234 }
  for (const _server of ['first', 'second']) {
    await using stage = new Stage(kept)
    stage.play(1, program)
    const [tab, back] = [stage.open(1, { size: { columns: 100, rows: 30 } }), stage.open(1, { size: { columns: 100, rows: 30 }, resume: before })]
    for (const viewer of [tab, back]) {
      await viewer.shows('painted 30')
      expect(viewer.output.toString().startsWith(modes)).toBe(true)
      expect(viewer.output.toString().split('painted 30').length).toBe(2)
      expect(viewer.statuses[0]).toMatchObject({ reset: true, skipped: 0 })
      expect(viewer.stream).not.toBe(before.stream)
    }
    before = { stream: tab.stream, offset: tab.offset }
  }
})

test('the modes of a terminal are kept as they change, and go with its sandbox', async () => {
  await using on = await show(inDtach, "read -n 1; printf '\\033[?2004h\\033[?1003h'; read -n 1; printf '\\033[?1003l'; cat")
  const kept = join(on.program.folder, 'terminals')
  await using stage = new Stage(kept)
  stage.play(1, on.program)
  const tab = stage.open(1)
  await tab.live()
  const memory = new ModesMemory(kept)
  const recalled = () => Buffer.from(memory.recall(1)).toString()
  tab.type('x')
  await until(() => recalled() === '\u001b[?2004h\u001b[?1003h', { what: 'the first modes' })
  tab.type('x')
  await until(() => recalled() === '\u001b[?2004h\u001b[?1003l', { what: 'the second modes' })
  stage.hub.drop(1)
  expect(recalled()).toBe('')
})
