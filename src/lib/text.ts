// Texts that people write: lines and tabs are fine, other control characters are not, and some of them no database stores.

const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/

/** Why a text of several lines is refused, or undefined. */
export function textProblem(text: string): string | undefined {
  return CONTROL.test(text) || !text.isWellFormed() ? 'Leave out control characters.' : undefined
}
