import { expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { inDtach } from './programs.ts'
import { randomNumbers, SEED } from './random.ts'
import { RAW, show } from './stage.ts'

setDefaultTimeout(60_000)

test('a key comes back, and the size of the tab is the size of the terminal', async () => {
  await using on = await show(inDtach, 'stty size; cat')
  const tab = on.stage.open(1, { size: { columns: 91, rows: 33 } })
  await tab.live()
  tab.type('hello\r')
  await tab.shows('hello\r\nhello')
})

test('the tab that was used last decides the size; hostile sizes are clamped or ignored, a thousand of them make few changes', async () => {
  await using on = await show(
    inDtach,
    `python3 -c "
import os, signal, sys
def size(*_):
  s = os.get_terminal_size()
  print('<%dx%d>' % (s.columns, s.lines), flush=True)
signal.signal(signal.SIGWINCH, size)
size()
while True: sys.stdin.readline(); size()
"`,
  )
  const [first, second] = [on.stage.open(1, { size: { columns: 100, rows: 40 } }), on.stage.open(1, { size: { columns: 60, rows: 20 } })]
  await Promise.all([first.shows('<60x20>'), second.live()])
  first.type('\r')
  await second.shows('<100x40>')
  for (const hostile of ['{"columns":0,"rows":-1}', '{"columns":1e9,"rows":1e9}', '{"columns":"80","rows":"24"}', '{"columns":null,"rows":3}', '{}']) first.frame('1', hostile)
  await first.shows('<500x200>')
  for (let turn = 0; turn < 1000; turn++) second.frame('1', JSON.stringify({ columns: 100 + (turn % 100), rows: 50 }))
  await second.shows('<199x50>')
  const changes = [...second.output.toString().matchAll(/<1\d\dx50>/g)].length
  expect(changes).toBeLessThanOrEqual(10)
  expect(first.closed ?? second.closed).toBeUndefined()
})

test('bytes arrive unchanged both ways, whether they are text or not', async () => {
  const random = randomNumbers()
  const bytes = Uint8Array.from({ length: 1_500_000 }, () => random(256))
  await using on = await show(inDtach, `${RAW} cat source; head -c ${bytes.length} > copy; printf taken; cat > /dev/null`)
  writeFileSync(join(on.program.folder, 'source'), bytes)
  const tab = on.stage.open(1)
  await on.ready(tab)
  tab.type('x')
  const begin = tab.output.indexOf('ready') + 5
  await until(() => tab.output.length >= begin + bytes.length, { timeoutMs: 20_000, what: `all bytes (seed ${SEED})` })
  expect(Bun.hash(tab.output.subarray(begin))).toBe(Bun.hash(bytes))
  // As a paste: control characters, NUL and what looks like control frames are input like everything else.
  bytes.set(Buffer.from('{"type":"resize","columns":1,"rows":1}\u0000\u0003\u001a'))
  tab.type(bytes)
  await tab.shows('taken', 30_000)
  expect(Bun.hash(readFileSync(join(on.program.folder, 'copy')))).toBe(Bun.hash(bytes))
})

test('what is typed before the terminal is reached arrives, and what was written while nobody looked is shown', async () => {
  await using on = await show(inDtach, 'read first; echo "<$first>"; sleep 0.2; echo unseen; cat')
  const tab = on.stage.open(1)
  await until(() => tab.status, { what: 'a status' })
  tab.type('early\r')
  await tab.shows('<early>')
  tab.leave()
  await until(() => on.stage.hub.counts.viewers === 0)
  const later = on.stage.open(1)
  await later.shows('<early>')
  await later.shows('unseen')
  expect(on.stage.hub.counts).toEqual({ terminals: 1, upstreams: 1, viewers: 1 })
})

test('a connection that is cut at any moment goes on at its byte: no gap, no double', async () => {
  const random = randomNumbers()
  // About 3 MB in bursts, so that cuts fall into floods and into silence.
  await using on = await show(
    inDtach,
    `${RAW} python3 -c "
import random, sys, time
random.seed(${SEED})
for n in range(1, 200001):
  sys.stdout.write('%d é€ %s\\n' % (n, 'x' * random.randrange(20)))
  if random.randrange(3000) == 0:
    sys.stdout.flush(); time.sleep(0.02)
print('the end', flush=True)
"; cat`,
  )
  let tab = on.stage.open(1)
  await on.ready(tab)
  const parts: Buffer[] = [Buffer.from('ready')]
  const first = tab.output.indexOf('ready') + 5
  tab.type('x')
  let from = first
  let cuts = 0
  for (;;) {
    const goal = tab.heard + random(40_000)
    await until(() => tab.heard >= goal || tab.output.includes('the end'), { intervalMs: 1, what: `more output (seed ${SEED})` })
    tab.leave()
    // Only what was heard by now counts: what the socket still delivers is as lost as with a cut network.
    const [output, resume] = [tab.output, { stream: tab.stream, offset: tab.offset }]
    expect(tab.skipped).toBe(0)
    parts.push(output.subarray(from))
    if (output.includes('the end')) break
    from = 0
    cuts++
    tab = on.stage.open(1, { resume })
    await until(() => tab.heard > 0 || tab.status?.offset === resume.offset, { what: 'the stream again' })
  }
  const text = Buffer.concat(parts).toString()
  const lines = text.slice(5, text.indexOf('the end')).split('\n').slice(0, -1)
  expect(cuts).toBeGreaterThan(20)
  expect(lines.length).toBe(200_000)
  expect(lines.findIndex((line, at) => !line.startsWith(`${at + 1} é€ `))).toBe(-1)
  expect(text).not.toContain('\ufffd')
})

test('who comes back too late is told how many bytes are gone, and begins at a whole line in the modes of that place', async () => {
  await using on = await show(inDtach, `${RAW} printf '\\033[?2004h\\033[?1000;1006h\\033[?25l'; seq -f 'line %.0f' 1 200000; printf done; cat`)
  const tab = on.stage.open(1)
  await on.ready(tab)
  const resume = { stream: tab.stream, offset: tab.offset }
  const late = on.stage.open(1, { tailOnly: true })
  await until(() => late.status)
  tab.leave()
  late.type('x')
  await late.shows('done')
  const [back, fresh] = [on.stage.open(1, { resume }), on.stage.open(1)]
  for (const viewer of [back, fresh]) {
    await viewer.shows('done')
    const text = viewer.output.toString()
    expect(text.slice(0, 200)).toMatch(/^(\u001b\[\?(2004|1000|1006)h|\u001b\[\?25l){4}line \d+\n/)
    expect(viewer.offset).toBe(late.offset)
  }
  expect(back.skipped).toBeGreaterThan(1_000_000)
  expect(back.skipped + back.output.length - '\u001b[?2004h\u001b[?1000h\u001b[?1006h\u001b[?25l'.length).toBe(late.offset - resume.offset)
  expect(fresh.skipped).toBe(0)
})

test('an unknown stream, an offset ahead of it or a broken resume gets the whole screen', async () => {
  await using on = await show(inDtach, 'echo the screen; cat')
  const tab = on.stage.open(1)
  await tab.live()
  tab.type('mark\r')
  await tab.shows('mark\r\nmark')
  for (const resume of [
    { stream: 'another', offset: 3 },
    { stream: tab.stream, offset: tab.offset + 1 },
    { stream: tab.stream, offset: -1 },
    { stream: tab.stream, offset: 0.5 },
  ]) {
    const other = on.stage.open(1, { resume })
    await other.shows('mark\r\nmark')
    expect(other.statuses[0]).toMatchObject({ reset: true, skipped: 0, offset: 0 })
    other.leave()
  }
})

test('a new sandbox means an empty screen and a new stream for the tabs that stay', async () => {
  await using on = await show(inDtach, 'echo old; cat')
  await using next = await inDtach('while :; do echo new; sleep 0.05; done')
  const tab = on.stage.open(1)
  await tab.live()
  tab.type('old\r')
  await tab.shows('old\r\nold')
  const { stream } = tab
  on.stage.play(1, next)
  await on.stage.hub.answers({ agentId: 1, find: () => on.stage.find(1) }, 5000)
  await tab.shows('new')
  expect(tab.output.toString()).not.toContain('old')
  expect(tab.stream).not.toBe(stream)
})
