// The login cookie: its name, its attributes, and reading it without being fooled by a second one.

export interface CookieRules {
  /** True behind TLS: Secure and the `__Host-` prefix, which pins the cookie to this very host. */
  secure: boolean
}

/** Name of the login cookie. */
export function loginCookieName({ secure }: CookieRules): string {
  return secure ? '__Host-sac' : 'sac'
}

/** `set-cookie` value that signs in for `maxAgeS`, or signs out with an empty token. */
export function loginCookie(token: string, maxAgeS: number, rules: CookieRules): string {
  return `${loginCookieName(rules)}=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${token ? maxAgeS : 0}${rules.secure ? '; Secure' : ''}`
}

/** Every value that a Cookie header gives a name; more than one means that somebody tossed a cookie at us. */
export function cookieValues(header: string | null, name: string): string[] {
  if (!header) return []
  return header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1))
}
