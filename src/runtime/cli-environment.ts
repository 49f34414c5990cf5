// What the CLI finds in its environment wherever it runs; each adapter adds its paths.

/** The same for every agent; never a secret. */
export const CLI_ENVIRONMENT: Readonly<Record<string, string>> = {
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  LANG: 'C.UTF-8',
  SHELL: '/bin/bash',
  USER: 'agent',
  IS_SANDBOX: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
}
