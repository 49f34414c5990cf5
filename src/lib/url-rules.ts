// Which URLs the product will talk to on behalf of a user (SSRF rules), decided from the text of the URL.
import { BlockList, isIP } from 'node:net'

export interface UrlRules {
  /** True with the local runtime, where a model on the same machine or network is a normal case. */
  allowPrivate: boolean
  /** What is open all the same: names, `*.names`, addresses and networks of the organisation's own, by http, too. */
  privateHosts?: readonly string[]
}

const NAME = /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

const BLOCKED_PORTS = new Set([
  0, 7, 9, 19, 21, 22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 465, 587, 993, 995, 2049, 2375, 2379, 2380, 3306, 5432, 6379, 6443, 10250, 11211,
])
const METADATA_HOSTS = new Set(['metadata', 'metadata.google.internal', 'instance-data'])

/** Why this URL is refused, or undefined. The parser has normalised odd notations (octal, decimal, mapped) already. */
export function urlProblem(text: string, { allowPrivate, privateHosts = [] }: UrlRules): string | undefined {
  if (text.length > 2048 || /[\s\p{Cc}]/u.test(text)) return 'This is not a URL.'
  if (!URL.canParse(text)) return 'This is not a URL. It begins with https://.'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'Use an http or https URL.'
  if (url.username || url.password) return 'Put the key in its own field, not in the URL.'
  if (url.port && BLOCKED_PORTS.has(Number(url.port))) return `Port ${url.port} is not allowed.`
  const host = url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  if (METADATA_HOSTS.has(host) || isLinkLocal(host)) return 'This address is not allowed.'
  if (allowPrivate || privateHosts.some((known) => names(known, host))) return undefined
  if (isPrivate(host)) return 'Addresses of this machine and of private networks are not allowed.'
  if (url.protocol !== 'https:') return 'Use an https URL.'
  return undefined
}

/** Whether this is a name, a `*.name`, an address or a network that `privateHosts` may hold. */
export function isHostPattern(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  if (isIP(address) === 0) return text.length <= 253 && NAME.test(text) && !/^[\d.]+$/.test(text)
  return more === undefined && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 6 ? 128 : 32)))
}

function names(pattern: string, host: string): boolean {
  const [address = '', bits] = pattern.split('/')
  const family = isIP(address)
  if (family === 0) return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
  const real = embedded4(host) ?? host
  if (isIP(real) !== family) return false
  const kind = family === 6 ? 'ipv6' : 'ipv4'
  const network = new BlockList()
  network.addSubnet(address, Number(bits ?? (family === 6 ? 128 : 32)), kind)
  return network.check(real, kind)
}

function isLinkLocal(host: string): boolean {
  const four = embedded4(host) ?? host
  return four.startsWith('169.254.') || (isIP(host) === 6 && /^fe[89ab]/.test(host)) || host === 'fd00:ec2::254'
}

function isPrivate(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.internal') || host.endsWith('.local') || !host.includes('.'))
    return isIP(host) !== 6 || isPrivate6(host)
  const four = embedded4(host) ?? host
  if (isIP(four) === 4) {
    const [a = 0, b = 0] = four.split('.').map(Number)
    return (
      a === 0 ||
      a === 10 ||
      a === 127 ||
      a >= 224 ||
      (a === 172 && b >= 16 && b <= 31) ||
      (a === 192 && b === 168) ||
      (a === 100 && b >= 64 && b <= 127) ||
      (a === 198 && (b === 18 || b === 19))
    )
  }
  return isIP(host) === 6 && isPrivate6(host)
}

function isPrivate6(host: string): boolean {
  const four = embedded4(host)
  if (four) return isPrivate(four)
  return host === '::' || host === '::1' || /^f[cd]/.test(host) || /^fe[89ab]/.test(host) || /^ff/.test(host)
}

/** The IPv4 address inside `::ffff:a.b.c.d`, `::a.b.c.d` and `64:ff9b::a.b.c.d`, as the URL parser writes them. */
function embedded4(host: string): string | undefined {
  const match = /^(?:::ffff:|::ffff:0:|64:ff9b::|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host)
  if (!match?.[1] || !match[2]) return undefined
  const [high, low] = [Number.parseInt(match[1], 16), Number.parseInt(match[2], 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
