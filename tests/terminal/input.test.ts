import { expect, test } from 'bun:test'
import { InputWindow } from '../../static/terminal/input.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function window() {
  const frames: string[] = []
  const input = new InputWindow((frame) => frames.push(new TextDecoder().decode(frame)))
  return { input, frames, sent: () => frames.join('') }
}

test('keys pass at once, a paste waits for its window and comes whole and in order', () => {
  const { input, frames, sent } = window()
  input.push(bytes('a'))
  expect(frames).toEqual(['a'])
  const paste = Array.from({ length: 40_000 }, (_, at) => `${at},`).join('')
  input.push(bytes(paste))
  input.push(bytes('z'))
  while (sent().length < paste.length + 2) {
    const before = sent().length
    expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThanOrEqual(16 * 1024)
    input.acknowledge(before)
    expect(sent().length).toBeGreaterThan(before)
    expect(sent().length - before).toBeLessThanOrEqual(64 * 1024)
  }
  expect(sent()).toBe(`a${paste}z`)
})

test('Ctrl-C drops what waits, but closes the brackets of a paste', () => {
  const open = window()
  open.input.push(bytes(`\u001b[200~${'x'.repeat(200_000)}\u001b[201~`))
  open.input.push(bytes('\u0003'))
  expect(open.sent()).toMatch(/x\u001b\[201~\u0003$/)
  expect(open.sent().length).toBeLessThan(70_000)
  const plain = window()
  plain.input.push(bytes('x'.repeat(200_000)))
  plain.input.push(bytes('\u0003'))
  expect(plain.sent()).toBe(`${'x'.repeat(64 * 1024)}\u0003`)
})

test('brackets that are half sent are completed', () => {
  for (let more = 0; more <= 7; more++) {
    const { input, sent } = window()
    const text = `\u001b[200~${'x'.repeat(64 * 1024 - 12 + more)}\u001b[201~`
    input.push(bytes(text))
    input.push(bytes('\u0003'))
    expect(sent()).toEndWith('\u001b[201~\u0003')
    expect(sent().split('\u001b[201~').length).toBe(2)
  }
})

test('a new connection begins with an empty window, and tells what was not sent', () => {
  const { input, frames } = window()
  input.push(bytes('x'.repeat(100_000)))
  expect(input.renew()).toBe(100_000 - 64 * 1024)
  frames.length = 0
  input.push(bytes('y'))
  expect(frames).toEqual(['y'])
  expect(input.renew()).toBe(0)
})
