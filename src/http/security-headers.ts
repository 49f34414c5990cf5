// Headers of every answer: a strict content policy for pages, a sandbox for user content, no caching of private data.

/** Policy of the portal's own pages. The nonce lets the terminal's renderer add its style elements, nothing else. */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}'`,
    // Attributes only: xterm sets true-colour cells by style attribute in its DOM renderer.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Policy of files that agents or people made: an opaque origin without scripts. */
export const CONTENT_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/** Headers that every answer carries unless it says otherwise. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
}

export const HSTS = 'max-age=31536000; includeSubDomains'
