// Figures of the benches: quantiles, tables, and each measured value beside the limit that it has to keep.

/** A measured value and its limit, in the words of the issue. */
export interface Limit {
  what: string
  value: number
  unit: string
  /** Exactly one of the two is given. */
  atMost?: number
  atLeast?: number
}

/** The value below which `share` of the samples lie. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Prints rows under one headline, columns aligned. */
export function table(headline: string, rows: string[][]): void {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: string[]) => `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')}`
  process.stdout.write(`${headline}\n${rows.map(line).join('\n')}\n`)
}

/** Prints every limit with OK or MISSED. */
export function limits(all: Limit[]): void {
  table('limits', [
    ['figure', 'measured', 'limit', ''],
    ...all.map(({ what, value, unit, atMost, atLeast }) => {
      const kept = atMost === undefined ? value >= (atLeast ?? Number.NaN) : value <= atMost
      return [what, `${value.toFixed(2)} ${unit}`, atMost === undefined ? `≥ ${atLeast} ${unit}` : `≤ ${atMost} ${unit}`, kept ? 'OK' : 'MISSED']
    }),
  ])
}
