// From an agent's row to the variables its CLI is started with.
import type { SecretBox } from '../lib/crypto.ts'
import type { AgentRow } from './schema.ts'

/** What a sealed secret of an agent is bound to. */
export function secretContext(agentId: number, name: string): string {
  return `agents:${agentId}:${name}`
}

/** The CLI's variables with the secrets opened; throws `unavailable` when one cannot be. Handle like a secret. */
export function cliEnvironment(agent: AgentRow, box: SecretBox): Record<string, string> {
  return Object.fromEntries(variables(agent, (name) => opened(agent, name, box)))
}

/** The values of the CLI's variables, which must not be shown. A secret that no key opens any more is left out: no start is given it either. */
export function hiddenValues(agent: AgentRow, box: SecretBox): string[] {
  const openable = (name: string) => {
    try {
      return opened(agent, name, box)
    } catch {
      // @NOTE without its key a secret is unknown; whoever looks after the agent must get to it all the same.
      return ''
    }
  }
  return variables(agent, openable).map(([, value]) => value)
}

function opened(agent: AgentRow, name: string, box: SecretBox): string {
  const sealed = agent.secrets[name]
  return sealed ? box.open(sealed.ciphertext, secretContext(agent.id, name)) : ''
}

// Those with a value.
function variables({ config }: AgentRow, open: (name: string) => string): [string, string][] {
  const given: [string, string][] = [
    ['ANTHROPIC_AUTH_TOKEN', open('anthropic_auth_token')],
    ['ANTHROPIC_BASE_URL', config.anthropic_base_url],
    ['ANTHROPIC_DEFAULT_HAIKU_MODEL', config.anthropic_haiku_model],
    ['ANTHROPIC_DEFAULT_SONNET_MODEL', config.anthropic_sonnet_model],
    ['ANTHROPIC_DEFAULT_OPUS_MODEL', config.anthropic_opus_model],
    ['HTTP_PROXY', config.http_proxy],
    ['HTTPS_PROXY', config.https_proxy],
    ...config.custom_envs.map(({ key, value, secret }): [string, string] => [key, secret ? open(`env:${key}`) : (value ?? '')]),
  ]
  return given.filter(([, value]) => value !== '')
}
