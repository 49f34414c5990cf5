// Names of container images, by the grammar that registries and container runtimes share. Pure.

const MAX_NAME = 255
const HOST = /^(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*(?::[0-9]{1,5})?$/
const HOST_V6 = /^\[[0-9A-Fa-f:]{2,45}\](?::[0-9]{1,5})?$/
const PART = /^[a-z0-9]+(?:(?:[_.]|__|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
const SHA256 = /^sha256:[0-9a-f]{64}$/

/** What an image's name says. */
export interface ImageName {
  /** Host of the registry, where the name has one. */
  registry?: string
  repository: string
  tag?: string
  digest?: string
}

/** The parts of a name, or why it is none. */
export function parseImage(text: string): ImageName | { problem: string } {
  if (text === '') return { problem: 'Give the name of an image.' }
  if (/\s/.test(text)) return { problem: 'An image name has no spaces.' }
  if (text.includes('://')) return { problem: 'Leave out https://: an image name begins with the registry’s host.' }
  const [named = '', digest, ...more] = text.split('@')
  if (more.length > 0) return { problem: 'An image name has one “@” at most, before its digest.' }
  if (digest !== undefined && !isDigest(digest)) return { problem: 'After “@” comes a digest like sha256: and 64 hexadecimal digits.' }
  const colon = named.lastIndexOf(':')
  const hasTag = colon > named.lastIndexOf('/')
  const tag = hasTag ? named.slice(colon + 1) : undefined
  if (tag !== undefined && !TAG.test(tag)) return { problem: 'A tag has letters, digits, “_”, “.” and “-”, 128 at most, and begins with none of the last two.' }
  const name = hasTag ? named.slice(0, colon) : named
  if (name.length > MAX_NAME) return { problem: `A name of an image has at most ${MAX_NAME} characters before its tag.` }
  const { registry, repository } = hostAndRepository(name)
  if (registry !== undefined && !isHost(registry)) return { problem: `“${registry.slice(0, 80)}” is not the host of a registry.` }
  const problem = repositoryProblem(repository)
  return problem ? { problem } : { registry, repository, tag, digest }
}

/** Why a text is no name of an image, or undefined. */
export function imageProblem(text: string): string | undefined {
  const name = parseImage(text)
  return 'problem' in name ? name.problem : undefined
}

/** What may surprise about a name that is one, or undefined. */
export function imageNote(text: string): string | undefined {
  const name = parseImage(text)
  if ('problem' in name) return undefined
  const notes = [
    name.digest === undefined && (name.tag === undefined || name.tag === 'latest')
      ? 'Without a fixed tag, agents that start later may get another program than those that run.'
      : undefined,
    name.registry === undefined ? 'It names no registry: nodes that do not have it ask the one they are configured with, most often Docker Hub.' : undefined,
  ]
  return notes.filter(Boolean).join(' ') || undefined
}

function isDigest(text: string): boolean {
  return text.startsWith('sha256:') ? SHA256.test(text) : DIGEST.test(text)
}

// The first part is a host when it looks like one: with a dot, a port or capitals, or localhost.
function hostAndRepository(name: string): { registry?: string; repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isRegistry = first === 'localhost' || /[.:[A-Z]/.test(first)
  return isRegistry ? { registry: first, repository: name.slice(slash + 1) } : { repository: name }
}

function isHost(text: string): boolean {
  const port = /:(\d+)$/.exec(text)?.[1]
  return (HOST.test(text) || HOST_V6.test(text)) && (port === undefined || (Number(port) > 0 && Number(port) < 65_536))
}

function repositoryProblem(repository: string): string | undefined {
  if (/[A-Z]/.test(repository)) return 'The part of an image name after the registry is in lower case.'
  if (repository.split('/').every((part) => PART.test(part))) return undefined
  return 'Between “/” an image name has small letters and digits, with single “.”, “_” or any number of “-” between them.'
}
