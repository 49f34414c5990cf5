// Settings of an agent that speaks to no model, for agents that are made as rows.
import type { AgentConfig } from '../../src/agents/schema.ts'

/** Every field empty. */
export const EMPTY_CONFIG: AgentConfig = {
  provider: '',
  anthropic_base_url: '',
  anthropic_haiku_model: '',
  anthropic_sonnet_model: '',
  anthropic_opus_model: '',
  http_proxy: '',
  https_proxy: '',
  custom_envs: [],
}
