// Passwords that everybody tries first: a list of some 49 000, with the usual endings, runs, repeats and keyboard walks.

// Words of our own trade, which no general list has.
const TRADE = ['changeme', 'correcthorsebatterystaple', 'claude', 'anthropic', 'sandbox', 'kubernetes', 'developer', 'engineer', 'administrator', 'passwort']
const WALKS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890123456789',
  '98765432109876543210',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  'zaq12wsxcde34rfvbgt56yhn',
]
const ENDING = /[\s\d!@#$%^&*()_+\-=[\]{};':"\\|,.<>/?~`]+$/
const BEGINNING = /^[\d!@#$%^&*]+/
const SHORTEST_WORD = 4
const DECORATION = 6
const OFTEN = 3000

interface Known {
  all: Set<string>
  /** Those that are tried in pairs, too. */
  first: Set<string>
}

let list: Promise<Known> | undefined

/** True for a password that a guesser tries early, in whatever case it is written. */
export async function isCommonPassword(password: string): Promise<boolean> {
  list ??= load()
  const known = await list
  const lower = password.toLowerCase()
  return isKnown(lower, known) || isDecorated(lower, known) || isWordRow(lower, known)
}

// Half a megabyte that the start does not wait for. The list begins with what is used most.
async function load(): Promise<Known> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const words = [...TRADE, ...dictionary['passwords-common']]
  return { all: new Set(words), first: new Set(words.slice(0, OFTEN)) }
}

function isKnown(text: string, { all }: Known): boolean {
  return all.has(text) || isRepeat(text) || WALKS.some((walk) => isWalk(text, walk))
}

/** A common word with a little, or with something common, around it. */
function isDecorated(text: string, known: Known): boolean {
  const [ending = ''] = ENDING.exec(text) ?? []
  const [beginning = ''] = BEGINNING.exec(text) ?? []
  const word = text.slice(beginning.length, text.length - ending.length)
  const around = beginning + ending
  return word.length >= SHORTEST_WORD && isKnown(word, known) && (around.length <= DECORATION || isKnown(around, known))
}

/** One or two of the first words with nothing but separators and digits around them. */
function isWordRow(text: string, { first }: Known): boolean {
  const words = text.split(/[\s\d_.-]+/).filter(Boolean)
  return words.length > 0 && words.length <= 2 && words.every((word) => first.has(word))
}

function isRepeat(text: string): boolean {
  for (let size = 1; size <= Math.min(6, text.length / 2); size++) {
    if (text.length % size === 0 && text === text.slice(0, size).repeat(text.length / size)) return true
  }
  return false
}

/** A piece of a walk, a whole one with more behind it, or two pieces. */
function isWalk(text: string, walk: string): boolean {
  const half = Math.ceil(text.length / 2)
  return (text.length >= SHORTEST_WORD && walk.includes(text)) || text.startsWith(walk) || (half >= 4 && walk.includes(text.slice(0, half)) && walk.includes(text.slice(half)))
}
