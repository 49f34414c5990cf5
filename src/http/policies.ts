// Who may use a route: every guard says which policy it enforces, and an app starts only when its table agrees.

/** `owner` is `signed in` with an entity that is found through its owner only: a stranger gets the answer of an id that is not there. */
export type Policy = 'public' | 'signed in' | 'owner' | 'admin' | 'sandbox'

/** Policies by `METHOD /path`, as the router spells the path. */
export type PolicyTable = Readonly<Record<string, Policy>>

type Guard = (...args: never[]) => unknown
type Enforced = Exclude<Policy, 'owner'>

/** A route as the framework lists it; what its guards are is told by `hooks.transform`. */
interface Route {
  method: string
  path: string
  hooks: { transform?: unknown }
}

const enforcedBy = new WeakMap<object, Enforced>()

/** Marks the function that enforces a policy; it runs before the body is validated and before the handler. */
export function guard<F extends Guard>(policy: Enforced, check: F): F {
  enforcedBy.set(check, policy)
  return check
}

/** Throws with one line for every route without a policy, with another guard than its policy's, and for every policy without a route. */
export function checkPolicies(routes: readonly Route[], table: PolicyTable): void {
  const known = new Set(routes.map(nameOf))
  const problems = [
    ...routes.flatMap((route) => routeProblem(route, table[nameOf(route)]) ?? []),
    ...Object.keys(table)
      .filter((name) => !known.has(name))
      .map((name) => `${name} is in the table of policies, but there is no such route.`),
  ]
  if (problems.length > 0) throw new Error(`Routes and their policies (src/route-policies.ts) do not agree:\n${problems.join('\n')}`)
}

/** The methods that a path is served for; none when nothing is there. */
export function methodsOf(path: string, table: PolicyTable): string[] {
  const parts = segments(path)
  const methods = Object.keys(table).flatMap((name) => {
    const [method = '', pattern = ''] = name.split(' ')
    const wanted = segments(pattern)
    return wanted.length === parts.length && wanted.every((part, at) => part.startsWith(':') || part === parts[at]) ? (method === 'GET' ? ['GET', 'HEAD'] : [method]) : []
  })
  return [...new Set(methods)]
}

// The router takes a path with and without its last slash.
function segments(path: string): string[] {
  return path.replace(/\/$/, '').split('/')
}

function routeProblem(route: Route, policy: Policy | undefined): string | undefined {
  if (!policy) return `${nameOf(route)} has no policy: add it to the table.`
  const guards = guardsOf(route)
  const wanted: Enforced = policy === 'owner' ? 'signed in' : policy
  if (guards.length === 1 && guards[0] === wanted) return undefined
  return `${nameOf(route)} is for "${policy}" and needs one guard of "${wanted}", but has ${guards.length === 0 ? 'none' : guards.map((name) => `"${name}"`).join(' and ')}.`
}

function guardsOf({ hooks: { transform } }: Route): Enforced[] {
  return [transform].flat().flatMap((hook) => {
    const check = typeof hook === 'object' && hook !== null && 'fn' in hook ? hook.fn : hook
    return (typeof check === 'function' && enforcedBy.get(check)) || []
  })
}

function nameOf({ method, path }: Route): string {
  return `${method} ${path}`
}
