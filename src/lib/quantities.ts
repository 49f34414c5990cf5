// Kubernetes' way to write amounts: 250m, 2, 512Mi, 1.5G, 100000n. Pure.

const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

const QUANTITY = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)$/

/** The number that a quantity means; undefined for anything else. */
export function quantity(text: string): number | undefined {
  const [, digits, exponent, unit = ''] = QUANTITY.exec(text.trim()) ?? []
  if (digits === undefined) return undefined
  return exponent ? Number(digits + exponent) : Number(digits) * (FACTORS[unit] ?? Number.NaN)
}

/** Cores; 0 for what is no quantity. */
export function coresOf(text: string): number {
  return quantity(text) ?? 0
}

/** Whole bytes; 0 for what is no quantity. */
export function bytesOf(text: string): number {
  return Math.round(quantity(text) ?? 0)
}

/** Smallest and largest amount that makes sense, and its unit in words. */
export interface QuantityRange {
  min: string
  max: string
  /** An example of how it is written. */
  example: string
}

/** Why a text is no amount in this range, or undefined. */
export function quantityProblem(text: string, { min, max, example }: QuantityRange): string | undefined {
  const amount = quantity(text)
  if (text !== text.trim() || amount === undefined) return `Give an amount like ${example}, not “${text.slice(0, 40)}”.`
  if (amount < bytesOrCores(min)) return text.endsWith('m') && min.endsWith('i') ? 'A small “m” means a thousandth. Write Mi for mebibytes.' : `Give at least ${min}.`
  return amount > bytesOrCores(max) ? `Give at most ${max}.` : undefined
}

function bytesOrCores(text: string): number {
  return quantity(text) ?? Number.NaN
}
