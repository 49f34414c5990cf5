// Numbers of rows as they arrive in paths and queries.

/** The id that a text spells in plain digits; NaN for every other spelling (`0x10`, `1e3`, ` 1`), which names nothing. */
export function parseId(text: string | undefined): number {
  return /^[1-9]\d{0,15}$/.test(text ?? '') ? Number(text) : Number.NaN
}
