// Names of objects. Content-addressed below the agent, so that an overwrite never damages what a row points to.

/** Prefix of every output file. */
export const OUTPUT_PREFIX = 'output/'

/** The agent that an output file's key belongs to; undefined for a key that is none of ours. */
export function agentOfKey(key: string): number | undefined {
  const id = Number(/^output\/(\d{1,15})\//.exec(key)?.[1] ?? Number.NaN)
  return Number.isNaN(id) ? undefined : id
}

/** Key of one version of an output file. */
export function outputKey(agentId: number, sha256: string, unique: string): string {
  return `${OUTPUT_PREFIX}${agentId}/${sha256}-${unique}`
}

/** Prefix of everything that an agent stored. */
export function agentPrefix(agentId: number): string {
  return `${OUTPUT_PREFIX}${agentId}/`
}
