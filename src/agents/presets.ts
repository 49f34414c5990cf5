// The model providers that the agent form offers. Base URLs are the Anthropic-style endpoints that Claude Code speaks to.

export interface Preset {
  id: string
  name: string
  baseUrl: string
  haiku: string
  sonnet: string
  opus: string
  /** Where a key comes from. */
  keyUrl?: string
}

export const PRESETS: readonly Preset[] = [
  {
    id: 'anthropic',
    name: 'Anthropic',
    baseUrl: 'https://api.anthropic.com',
    haiku: 'claude-haiku-4-5-20251001',
    sonnet: 'claude-sonnet-4-5-20250929',
    opus: 'claude-opus-4-6',
    keyUrl: 'https://console.anthropic.com/settings/keys',
  },
  {
    id: 'openrouter',
    name: 'OpenRouter',
    baseUrl: 'https://openrouter.ai/api',
    haiku: 'anthropic/claude-haiku-4.5',
    sonnet: 'anthropic/claude-sonnet-4.5',
    opus: 'anthropic/claude-opus-4.6',
    keyUrl: 'https://openrouter.ai/settings/keys',
  },
  {
    id: 'glm',
    name: 'GLM',
    baseUrl: 'https://open.bigmodel.cn/api/anthropic',
    haiku: 'glm-4.7',
    sonnet: 'glm-4.7',
    opus: 'glm-4.7',
    keyUrl: 'https://open.bigmodel.cn/usercenter/apikeys',
  },
  {
    id: 'qwen',
    name: 'Qwen',
    baseUrl: 'https://dashscope.aliyuncs.com/api/v2/apps/claude-code-proxy',
    haiku: 'qwen3-coder-plus',
    sonnet: 'qwen3-coder-plus',
    opus: 'qwen3-coder-plus',
    keyUrl: 'https://bailian.console.aliyun.com/?apiKey=1',
  },
  {
    id: 'kimi',
    name: 'Kimi',
    baseUrl: 'https://api.moonshot.ai/anthropic',
    haiku: 'kimi-k2-thinking-turbo',
    sonnet: 'kimi-k2-thinking-turbo',
    opus: 'kimi-k2-thinking-turbo',
    keyUrl: 'https://platform.moonshot.ai/console/api-keys',
  },
  { id: 'other', name: 'Other', baseUrl: '', haiku: '', sonnet: '', opus: '' },
]
