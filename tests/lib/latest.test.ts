import { expect, test } from 'bun:test'
import { latest } from '../../src/lib/latest.ts'
import { until } from '../../src/lib/until.ts'

test('calls while it runs lead to one more run, and runs never overlap', async () => {
  let under = 0
  let runs = 0
  let most = 0
  const gates: (() => void)[] = []
  const look = latest(async () => {
    runs++
    most = Math.max(most, ++under)
    await new Promise<void>((resolve) => gates.push(resolve))
    under--
  })
  look()
  expect(runs).toBe(1)
  for (let at = 0; at < 10; at++) look()
  gates[0]?.()
  await until(() => runs === 2, { what: 'the second run' })
  gates[1]?.()
  await until(() => under === 0, { what: 'its end' })
  look()
  expect([runs, most]).toEqual([3, 1])
  gates[2]?.()
})
