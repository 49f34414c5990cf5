// Passwords that everybody tries first: well-known words with the usual endings, runs, repeats and keyboard walks.

const WORDS =
  'password passwort passw0rd p@ssword p@ssw0rd letmein welcome admin administrator root qwerty qwertz azerty iloveyou monkey dragon sunshine princess football baseball basketball superman batman starwars master shadow michael jennifer jordan hunter trustno1 freedom whatever computer internet samsung google facebook linkedin microsoft windows secret changeme default company summer winter spring autumn january february march april june july august september october november december monday friday charlie donald hello login access flower cheese chocolate butterfly purple orange liverpool chelsea arsenal barcelona juventus correcthorsebatterystaple claude anthropic sandbox kubernetes docker developer engineer'.split(
    ' ',
  )
const BASES = new Set(WORDS)
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

/** True for a lower-case password that a guesser tries within the first few thousand. */
export function isCommonPassword(lower: string): boolean {
  const letters = lower.replace(/[\s\d!@#$%^&*()_+\-=[\]{};':"\\|,.<>/?~`]+$/g, '').replace(/^[\d!@#$%^&*]+/g, '')
  return (
    BASES.has(lower) ||
    BASES.has(letters) ||
    isWordRow(lower) ||
    isRepeat(lower) ||
    WALKS.some((walk) => walk.includes(lower) || (letters.length >= 6 && walk.includes(letters)) || walk.startsWith(lower.slice(0, walk.length)) || isWalkTwice(lower, walk))
  )
}

function isRepeat(text: string): boolean {
  for (let size = 1; size <= Math.min(6, text.length / 2); size++) {
    if (text.length % size === 0 && text === text.slice(0, size).repeat(text.length / size)) return true
  }
  return false
}

function isWalkTwice(text: string, walk: string): boolean {
  const half = Math.ceil(text.length / 2)
  return half >= 4 && walk.includes(text.slice(0, half)) && walk.includes(text.slice(half))
}

function isWordRow(text: string): boolean {
  const words = text.split(/[\s\d_.-]+/).filter(Boolean)
  return words.length > 0 && words.length <= 2 && words.every((word) => BASES.has(word))
}
