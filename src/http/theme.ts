// Which colours a terminal starts in: the ones that its page shows.
import { cookieValues } from './cookies.ts'

/** Name of the cookie in which a page tells whether its system is light or dark; static/islands/theme.ts writes it. */
const SCHEME_COOKIE = 'sac-scheme'

/** The user's own theme, else that of the system as the page told it; dark for clients that tell none. */
export function themeOf(user: { theme: 'system' | 'light' | 'dark' }, request: Request): 'light' | 'dark' {
  if (user.theme !== 'system') return user.theme
  return cookieValues(request.headers.get('cookie'), SCHEME_COOKIE).at(-1) === 'light' ? 'light' : 'dark'
}
