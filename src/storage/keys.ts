// Names of objects. Content-addressed below the agent, so that an overwrite never damages what a row points to.

/** Key of one version of an output file. */
export function outputKey(agentId: number, sha256: string, unique: string): string {
  return `output/${agentId}/${sha256}-${unique}`
}

/** Prefix of everything that an agent stored. */
export function agentPrefix(agentId: number): string {
  return `output/${agentId}/`
}
