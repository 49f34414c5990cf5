import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { inDtach, inTtyd } from './programs.ts'
import { randomNumbers, SEED } from './random.ts'
import { RAW, type Stage, show } from './stage.ts'
import type { Tab } from './tab.ts'

setDefaultTimeout(60_000)

const QUEUE_LIMIT = 1024 * 1024
const KINDS = [
  ['dtach', inDtach],
  ['ttyd', inTtyd],
] as const

// Floods at every key; each end of a flood leaves a file `ended`.
const FLOODS = "stty -echo; trap : INT; while read -n 1; do yes 'a flood of lines'; touch ended; echo calm; done"
// Writes the file `source` at a key.
const SOURCE = `${RAW} cat source; cat > /dev/null`

/** Reads a megabyte a second once the buffers between are full, in whatever pieces the socket has. */
async function readSlowly(tab: Tab, goesOn: () => boolean): Promise<void> {
  const [begin, heard] = [performance.now(), tab.heard]
  while (goesOn()) {
    const due = tab.heard - heard <= (performance.now() - begin) * 1000
    if (due) tab.goOn()
    else tab.stop()
    await Bun.sleep(1)
  }
  tab.goOn()
}

/** The states that a reader can be in; each says how to come into it. */
const READERS: [string, (tab: Tab, stage: Stage) => Promise<void> | void][] = [
  ['reads', () => {}],
  ['has stopped reading', (tab) => tab.stop()],
  ['has paused the stream', (tab) => tab.frame('2')],
  ['is gone', (tab) => tab.leave()],
]

for (const [kind, start] of KINDS)
  test.each(READERS)(`${kind}: Ctrl-C ends a flood at once although the only reader %s`, async (_state, enter) => {
    await using on = await show(start, FLOODS)
    const ended = join(on.program.folder, 'ended')
    const watcher = on.stage.open(1, { tailOnly: true })
    await watcher.live()
    watcher.type('x')
    await until(() => watcher.heard > 2_000_000, { what: 'a flood' })
    const typist = on.stage.open(1, { tailOnly: true })
    await typist.live()
    for (const tab of [watcher, typist]) await enter(tab, on.stage)
    // Long enough that everything between the program and the readers is full.
    const from = performance.now()
    await until(() => performance.now() - from > 700)
    const hand = typist.closed || on.stage.hub.counts.viewers === 0 ? on.stage.open(1, { tailOnly: true }) : typist
    if (hand !== typist) await hand.live()
    hand.type('\u0003')
    await until(() => existsSync(ended), { timeoutMs: 5000, intervalMs: 5, what: 'the end of the flood' })
  })

test('dtach: Ctrl-C ends a flood at once although the reader is slow; its queue is bounded and nothing was skipped before', async () => {
  await using on = await show(inDtach, FLOODS)
  const ended = join(on.program.folder, 'ended')
  const tab = on.stage.open(1, { tailOnly: true })
  await tab.live()
  for (let round = 0; round < 3; round++) {
    rmSync(ended, { force: true })
    tab.type('x')
    let reading = true
    const slow = readSlowly(tab, () => reading)
    const goal = tab.heard + 2_000_000
    // The kernel's buffers fill first; how large they are is its own affair.
    await until(() => tab.heard > goal && on.stage.mostBuffered > 100_000, { timeoutMs: 20_000, what: 'two megabytes, and a queue' })
    if (round === 0) expect(tab.skipped).toBe(0)
    tab.type('\u0003')
    await until(() => existsSync(ended), { timeoutMs: 5000, intervalMs: 5, what: 'the end of the flood' })
    reading = false
    await slow
    await tab.shows('calm')
  }
  expect(on.stage.mostBuffered).toBeLessThan(QUEUE_LIMIT)
})

for (const [kind, start] of KINDS)
  test(`${kind}: a reader that pauses now and then gets every byte of a flood`, async () => {
    await using on = await show(start, SOURCE)
    const random = randomNumbers()
    const bytes = Uint8Array.from({ length: 24_000_000 }, () => random(256))
    writeFileSync(join(on.program.folder, 'source'), bytes)
    const tab = on.stage.open(1)
    await on.ready(tab)
    tab.type('x')
    const all = tab.heard + bytes.length
    let pauses = 0
    while (tab.heard < all) {
      const goal = Math.min(all, tab.heard + random(1_000_000))
      await until(() => tab.heard >= goal, { intervalMs: 1, what: `more output (seed ${SEED})` })
      const [stop, go] = random(2) ? [() => tab.stop(), () => tab.goOn()] : [() => tab.frame('2'), () => tab.frame('3')]
      stop()
      const [from, wait] = [performance.now(), random(150)]
      await until(() => performance.now() - from > wait, { intervalMs: 5 })
      go()
      pauses++
    }
    expect(pauses).toBeGreaterThan(3)
    expect(tab.skipped).toBe(0)
    expect(Bun.hash(tab.output.subarray(-bytes.length))).toBe(Bun.hash(bytes))
    expect(on.stage.mostBuffered).toBeLessThan(QUEUE_LIMIT)
  })

test('a tab that does not read slows nobody, and is told afterwards what it missed', async () => {
  await using on = await show(inDtach, SOURCE)
  const random = randomNumbers()
  const bytes = Uint8Array.from({ length: 24_000_000 }, () => random(256))
  writeFileSync(join(on.program.folder, 'source'), bytes)
  const [fast, stalled, paused] = [on.stage.open(1), on.stage.open(1), on.stage.open(1)]
  await Promise.all([on.ready(fast), stalled.live(), paused.live()])
  stalled.stop()
  paused.frame('2')
  const all = fast.heard + bytes.length
  fast.type('x')
  await until(() => fast.heard >= all, { timeoutMs: 20_000, what: `all bytes (seed ${SEED})` })
  expect(fast.skipped).toBe(0)
  expect(Bun.hash(fast.output.subarray(-bytes.length))).toBe(Bun.hash(bytes))
  stalled.goOn()
  paused.frame('3')
  for (const tab of [stalled, paused]) {
    await until(() => tab.offset === fast.offset, { what: 'the end of the stream' })
    expect(tab.skipped).toBeGreaterThan(1_000_000)
    // What it shows after the gap is the end of the same stream.
    const tail = tab.output.subarray(-100_000)
    expect(Bun.hash(tail)).toBe(Bun.hash(fast.output.subarray(-100_000)))
  }
  expect(on.stage.mostBuffered).toBeLessThan(QUEUE_LIMIT)
})

test('when the fastest of two tabs stops reading, the other one goes on', async () => {
  await using on = await show(inDtach, FLOODS)
  const [stops, goesOn] = [on.stage.open(1, { tailOnly: true }), on.stage.open(1, { tailOnly: true })]
  await Promise.all([stops.live(), goesOn.live()])
  goesOn.type('x')
  await until(() => stops.heard > 10_000_000, { what: 'a flood' })
  stops.stop()
  const from = goesOn.heard
  let longest = 0
  let [heard, at] = [from, performance.now()]
  await until(
    () => {
      if (goesOn.heard === heard) longest = Math.max(longest, performance.now() - at)
      else [heard, at] = [goesOn.heard, performance.now()]
      return heard - from > 60_000_000
    },
    { timeoutMs: 20_000, intervalMs: 1, what: 'the flood for the other' },
  )
  expect(longest).toBeLessThan(1500)
})

test('a flood that nobody watches goes on slowly, and at full speed when somebody comes', async () => {
  await using on = await show(inDtach, "stty -echo; read -n 1; yes 'a flood of lines'")
  const first = on.stage.open(1, { tailOnly: true })
  await first.live()
  first.type('x')
  await until(() => first.heard > 1_000_000, { what: 'a flood' })
  first.leave()
  await until(() => on.stage.hub.counts.viewers === 0)
  const offsets: number[] = []
  for (let turn = 0; turn < 2; turn++) {
    const [from, came] = [performance.now(), offsets.length]
    await until(() => performance.now() - from > 1000 && offsets.length === came)
    const look = on.stage.open(1, { tailOnly: true })
    await until(() => look.status, { what: 'a status' })
    offsets.push(look.statuses[0]?.offset ?? 0)
    look.leave()
    await until(() => on.stage.hub.counts.viewers === 0)
  }
  const [before = 0, after = 0] = offsets
  expect(after - before).toBeGreaterThan(2_000_000)
  expect(after - before).toBeLessThan(30_000_000)
  const last = on.stage.open(1, { tailOnly: true })
  // The slow rate does not come so far in this time.
  await until(() => last.heard > 110_000_000, { timeoutMs: 11_000, what: 'full speed' })
})

test('two readers of different speed: the fast one loses nothing, the slow one never holds it back', async () => {
  await using on = await show(inDtach, SOURCE)
  const random = randomNumbers()
  const bytes = Uint8Array.from({ length: 40_000_000 }, () => random(256))
  writeFileSync(join(on.program.folder, 'source'), bytes)
  const [fast, slow] = [on.stage.open(1), on.stage.open(1, { tailOnly: true })]
  await Promise.all([on.ready(fast), slow.live()])
  let reading = true
  const held = readSlowly(slow, () => reading)
  const all = fast.heard + bytes.length
  fast.type('x')
  await until(() => fast.heard >= all, { timeoutMs: 30_000, what: `all bytes (seed ${SEED})` })
  reading = false
  await held
  expect(fast.skipped).toBe(0)
  expect(Bun.hash(fast.output.subarray(-bytes.length))).toBe(Bun.hash(bytes))
  await until(() => slow.offset === fast.offset, { what: 'the end of the stream' })
  expect(slow.skipped).toBeGreaterThan(0)
})

test('a program that does not read: ten megabytes of paste close the tab with 1008, and other terminals go on', async () => {
  await using on = await show(inDtach, 'stty raw -echo; sleep 1000')
  await using other = await inDtach('cat')
  on.stage.play(2, other)
  const [tab, neighbour] = [on.stage.open(1), on.stage.open(2)]
  await Promise.all([tab.live(), neighbour.live()])
  tab.type(new Uint8Array(10 * 1024 * 1024).fill(0x61))
  expect(await tab.ends()).toBe(1008)
  neighbour.type('still here\r')
  await neighbour.shows('still here\r\nstill here')
})
