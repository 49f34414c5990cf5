import { expect, test } from 'bun:test'
import { TerminalModes } from '../../src/terminal/modes.ts'
import { randomNumbers, SEED } from './random.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (modes: TerminalModes) => new TextDecoder().decode(modes.escapes())

test.each([
  ['\u001b[?2004h\u001b[31mred\u001b[0m\u001b[?1000;1006h', '\u001b[?2004h\u001b[?1000h\u001b[?1006h'],
  ['\u001b[?25l\u001b[?25h\u001b[?1049h\u001b=', '\u001b[?25h\u001b[?1049h\u001b='],
  ['\u001b[?2004h\u001b[?25l\u001b[!p', '\u001b[?2004h'],
  ['\u001b[?2004h\u001b=\u001bc', ''],
  ['\u001b[31\u001b[?2004h', '\u001b[?2004h'],
  ['\u001b[?2026h\u001b[?99999999999999999999h\u001b[?h\u001b[?2004$p\u001b]0;\u001b[?7l', '\u001b[?7l'],
])('the modes of %j', (output, expected) => {
  const modes = new TerminalModes()
  modes.feed(bytes(output))
  expect(text(modes)).toBe(expected)
})

test('the modes are the same in whatever pieces the output comes', () => {
  const random = randomNumbers()
  const parts = [
    '\u001b',
    '\u001b[',
    '\u001b[?',
    '2004',
    ';',
    '1006',
    'h',
    'l',
    '\u001b[?25l',
    '\u001b[!p',
    '\u001bc',
    '\u001b=',
    '\u001b[38;5;1m',
    'é',
    '\n',
    '!',
    'p',
    '\u001b[?1049h',
  ]
  for (let turn = 0; turn < 300; turn++) {
    const output = bytes(Array.from({ length: 40 }, () => parts[random(parts.length)]).join(''))
    const [whole, pieces, single] = [new TerminalModes(), new TerminalModes(), new TerminalModes()]
    whole.feed(output)
    for (const byte of output) single.feed(Uint8Array.of(byte))
    for (let at = 0; at < output.length; ) {
      const size = 1 + random(9)
      pieces.feed(output.subarray(at, at + size))
      at += size
    }
    expect([text(pieces), text(single)], `seed ${SEED}, turn ${turn}`).toEqual([text(whole), text(whole)])
  }
})
