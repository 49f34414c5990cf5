// What waits for long: networks that are gone without a word, and clients that say nothing. They wait side by side.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { openTtyd } from '../../src/terminal/ttyd.ts'
import { CutProxy } from '../support/cut-proxy.ts'
import { inDtach, inTtyd } from './programs.ts'
import { show } from './stage.ts'
import { Tab } from './tab.ts'

setDefaultTimeout(60_000)

test.concurrent('a tab whose network is gone is noticed within 45 s although output goes on, and frees its place', async () => {
  await using on = await show(inDtach, 'while :; do echo tick; sleep 0.5; done')
  using proxy = new CutProxy(on.stage.port)
  const lost = new Tab(`ws://127.0.0.1:${proxy.port}/?agent=1&user=1&login=a`, {})
  const other = on.stage.open(1)
  await Promise.all([lost.live(), other.live()])
  expect(on.stage.hub.counts.viewers).toBe(2)
  proxy.cut()
  await until(() => on.stage.hub.counts.viewers === 1, { timeoutMs: 45_000, intervalMs: 200, what: 'the end of the lost one' })
  expect(other.closed).toBeUndefined()
})

test.concurrent('an idle tab hears a sign of life every twenty seconds, and stays', async () => {
  await using on = await show(inDtach, 'cat')
  const [tab, paused] = [on.stage.open(1), on.stage.open(1)]
  await Promise.all([tab.live(), paused.live()])
  paused.frame('2')
  const heard = [tab, paused].map(({ statuses }) => statuses.length)
  for (const [at, { statuses }] of [tab, paused].entries())
    await until(() => statuses.length >= (heard[at] ?? 0) + 2, { timeoutMs: 40_000, intervalMs: 100, what: 'two signs of life' })
  expect([tab.closed, paused.closed]).toEqual([undefined, undefined])
})

test.concurrent('a ttyd whose machine is gone is lost within 45 s, so that it is dialled again', async () => {
  await using program = await inTtyd('cat')
  if (program.address.kind !== 'ttyd') throw new Error('not a ttyd')
  using proxy = new CutProxy(Number(new URL(program.address.url).port))
  const heard: string[] = []
  let end = ''
  const sink = {
    data: (bytes: Uint8Array) => heard.push(Buffer.from(bytes).toString()),
    taken() {},
    closed: (why: string) => {
      end = why
    },
  }
  const upstream = await openTtyd(`ws://127.0.0.1:${proxy.port}/ws`, program.address.credential, { columns: 80, rows: 24 }, sink, 5000)
  upstream.write(Buffer.from('hello\r'))
  await until(() => heard.join('').split('hello').length === 3, { what: 'the echo' })
  proxy.cut()
  await until(() => end, { timeoutMs: 45_000, intervalMs: 200, what: 'the loss' })
  expect(end).toBe('lost')
})

test.concurrent('a socket that never greets is closed with 1008', async () => {
  await using on = await show(inDtach, 'cat')
  const silent = new WebSocket(`ws://127.0.0.1:${on.stage.port}/?agent=1&user=1&login=a`, ['tty'])
  let code = 0
  silent.onclose = (event) => {
    code = event.code
  }
  await until(() => code, { timeoutMs: 20_000, what: 'the end' })
  expect(code).toBe(1008)
})
