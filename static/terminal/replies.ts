// Questions that programs ask of a terminal (what are you, where is the cursor, which colour). One live page answers them;
// a replay of earlier output must not, or old answers would be typed into the program.
import type { IDisposable, Terminal } from '@xterm/xterm'

const CSI_QUESTIONS = [
  { final: 'c' },
  { prefix: '>', final: 'c' },
  { prefix: '=', final: 'c' },
  { final: 'n' },
  { prefix: '?', final: 'n' },
  { intermediates: '$', final: 'p' },
  { prefix: '?', intermediates: '$', final: 'p' },
  { prefix: '>', final: 'q' },
  // Reports of the window: its title and place are nobody's business.
  { final: 't' },
]
const COLOUR_QUESTIONS = [4, 10, 11, 12]

/** While `mayAnswer` is false, questions in the output stay without an answer. */
export function guardReplies({ parser }: Terminal, mayAnswer: () => boolean): IDisposable[] {
  const csi = CSI_QUESTIONS.map((id) => parser.registerCsiHandler(id, () => id.final === 't' || !mayAnswer()))
  const osc = COLOUR_QUESTIONS.map((id) => parser.registerOscHandler(id, (data) => data.includes('?') && !mayAnswer()))
  const dcs = parser.registerDcsHandler({ intermediates: '$', final: 'q' }, () => !mayAnswer())
  return [...csi, ...osc, dcs]
}
