// Which Host, Origin and peer we believe: the defence against rebinding, cross-site requests and forged addresses.
import { BlockList, isIP } from 'node:net'

export interface OriginRules {
  /** Origin of the portal as configured; undefined means: loopback names and plain IP addresses. */
  publicUrl?: string
  trustedProxies: string[]
}

/** Whether a Host header names this portal. A name that anybody can register and point here does not. */
export function hostAllowed(host: string | null, { publicUrl }: OriginRules): boolean {
  if (!host || !URL.canParse(`http://${host}`)) return false
  const { hostname, host: full } = new URL(`http://${host}`)
  if (publicUrl && new URL(publicUrl).host === full) return true
  return hostname === 'localhost' || hostname.endsWith('.localhost') || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
}

/** Whether an Origin header is the portal's own, compared as a whole: scheme, name and port. */
export function originAllowed(origin: string, host: string | null, { publicUrl }: OriginRules): boolean {
  if (publicUrl) return origin === publicUrl || (isLocal(host) && origin === `http://${host}`)
  return host !== null && (origin === `http://${host}` || origin === `https://${host}`)
}

function isLocal(host: string | null): boolean {
  return host !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host)
}

/**
 * Whether a request that changes something may use the cookie it brings: it comes from our own page, told by
 * `Sec-Fetch-Site` or by `Origin`; neither means refused.
 */
export function sameSite(request: Request, rules: OriginRules): boolean {
  const origin = request.headers.get('origin')
  if (origin !== null && !originAllowed(origin, request.headers.get('host'), rules)) return false
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin' || site === 'none'
  return origin !== null
}

/** The peer's address; a forwarded one counts only when the peer is a configured proxy. */
export function clientAddress(peer: string | undefined, request: Request, { trustedProxies }: OriginRules): string {
  const address = (peer ?? '').replace(/^::ffff:/, '')
  const trusted = networksOf(trustedProxies)
  if (!isWithin(address, trusted)) return address
  const chain = (request.headers.get('x-forwarded-for') ?? '').split(',').map((item) => item.trim())
  // From the right: the nearest hop that is no proxy of ours is the client.
  const client = chain.reverse().find((hop) => isIP(hop) !== 0 && !isWithin(hop, trusted))
  return client ?? address
}

const networks = new WeakMap<string[], BlockList>()

/** Addresses and networks (10.244.0.0/16) as one set to look into. */
function networksOf(proxies: string[]): BlockList {
  const known = networks.get(proxies)
  if (known) return known
  const list = new BlockList()
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  networks.set(proxies, list)
  return list
}

function isWithin(address: string, list: BlockList): boolean {
  return isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** A path of this portal to go to after sign-in; anything that could leave it becomes "/". */
export function safeNext(next: string | null | undefined): string {
  if (!next?.startsWith('/') || /^\/[/\\]/.test(next) || /[\p{Cc}\\]/u.test(next)) return '/'
  return URL.canParse(next, 'http://portal.invalid') && new URL(next, 'http://portal.invalid').host === 'portal.invalid' ? next : '/'
}
