// Rules for user names and e-mail addresses. A user name holds no "@", so the two spaces never overlap.

const USERNAME = /^[a-z][a-z0-9._-]{1,63}$/i
const EMAIL = /^[^\s@"<>()[\],;:\\\p{Cc}\p{Cf}]{1,64}@[a-z0-9](?:[a-z0-9-]{0,62}\.)+[a-z]{2,63}$|^[a-z0-9._-]{1,64}@localhost$/iu

/** Why this user name is refused, or undefined. */
export function usernameProblem(name: string): string | undefined {
  return USERNAME.test(name) ? undefined : 'Use 2 to 64 letters, digits, dots, hyphens or underscores, beginning with a letter.'
}

/** Why this e-mail address is refused, or undefined. */
export function emailProblem(email: string): string | undefined {
  return email.length <= 254 && EMAIL.test(email) ? undefined : 'Give a whole e-mail address, for example mira@example.com.'
}
