import { expect, test } from 'bun:test'
import { parseClientFrame, parseHello } from '../../src/terminal/frames.ts'
import { ReplayRing, RING_BYTES } from '../../src/terminal/ring.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test.each(['', 'x', '{', '{}', '[1]', '{"columns":"a","rows":1}', '{"columns":null,"rows":2}', '0ls'])('the greeting %j is refused with 1003', (text) => {
  expect(parseHello(bytes(text))).toMatchObject({ kind: 'bad', code: 1003 })
})

test('sizes are brought into their limits', () => {
  expect(parseHello(bytes('{"columns":1e9,"rows":-5}'))).toMatchObject({ size: { columns: 500, rows: 1 } })
  expect(parseClientFrame(bytes('1{"columns":0,"rows":1000}'))).toEqual({ kind: 'resize', size: { columns: 2, rows: 200 } })
})

test('pasted JSON is input like everything else', () => {
  const frame = parseClientFrame(bytes('0{"type":"resize"}'))
  expect(frame.kind === 'input' && new TextDecoder().decode(frame.bytes)).toBe('{"type":"resize"}')
})

test('unknown frames are refused', () => {
  expect(parseClientFrame(bytes('9x'))).toMatchObject({ kind: 'bad', code: 1003 })
  expect(parseClientFrame(bytes('1nope'))).toMatchObject({ kind: 'bad', code: 1003 })
})

test('the ring gives back exactly what was written, whatever the pieces', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  let state = seed
  const random = (max: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return state % max
  }
  const ring = new ReplayRing()
  let all = new Uint8Array(0)
  for (let turn = 0; turn < 300; turn++) {
    const piece = Uint8Array.from({ length: random(4000) }, () => random(256))
    ring.append(piece)
    const joined = new Uint8Array(all.length + piece.length)
    joined.set(all)
    joined.set(piece, all.length)
    all = joined
    const from = ring.start + random(ring.end - ring.start + 1)
    if (Buffer.compare(ring.from(from), all.subarray(from)) !== 0) throw new Error(`ring differs, seed ${seed}, turn ${turn}`)
  }
  expect(ring.end).toBe(all.length)
  expect(ring.end - ring.start).toBe(Math.min(all.length, RING_BYTES))
})
