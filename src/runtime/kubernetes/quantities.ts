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
