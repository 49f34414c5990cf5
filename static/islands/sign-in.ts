// Where a page goes whose login has ended.

/** Leaves for the sign-in, and comes back here afterwards. */
export function toSignIn(): void {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`)
}
