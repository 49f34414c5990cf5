// Every page of the portal with sample data, for the gallery and for tests of the views.
import { AdminAgentPage } from '../../views/admin/agent.tsx'
import { AdminAgentsPage } from '../../views/admin/agents.tsx'
import type { AgentDetailView, FleetPage, FleetRow } from '../../views/admin/model.ts'
import { AgentFormPage } from '../../views/agents/form.tsx'
import { FirstRunPage, WorkbenchPage } from '../../views/agents/workbench.tsx'
import { ErrorPage } from '../../views/errors.tsx'
import type { AgentCard, AgentFormModel, AgentList, OutputLevel, OutputRow, PageFrame, Stage, Viewer } from '../../views/model.ts'
import { AccountPage, LoginPage, RegisterPage } from '../../views/users/account.tsx'
import { imagePages } from './sample-images.tsx'

export const SESSION = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** The words that samples are made of; hostile ones show whether a page escapes them. */
export interface Words {
  name: string
  text: string
  path: string
}

const MIRA: Words = { name: 'Quarterly report', text: 'Charting revenue by region', path: 'revenue-by-region.png' }

export function viewer(words: Partial<Words> = {}): Viewer {
  return { displayName: words.name ?? 'Mira Kessler', username: 'mira', email: words.text ?? 'mira@nordwind.example', role: 'user', theme: 'system', screenReader: false }
}

export function agentList(words: Words = MIRA, currentId?: number): AgentList {
  const card = (id: number, name: string, icon: string, state: AgentCard['state'], line: string, usage?: [number, number]): AgentCard => ({
    id,
    name,
    icon,
    state,
    line,
    usage: usage && { cpuPercent: usage[0], memoryPercent: usage[1] },
  })
  return {
    currentId,
    limit: 6,
    cards: [
      card(1, words.name, 'chart-column', 'working', words.text, [62, 47]),
      card(2, 'Support triage', 'message-square', 'needs-you', 'Asks to run git push', [3, 21]),
      card(3, 'Docs site', 'book-open', 'running', 'Waiting at the prompt', [2, 74]),
      card(4, 'Log explorer', 'search', 'stopped', 'Stopped 2 h ago, idle'),
      card(5, 'Data migration', 'database', 'failed', 'Image could not be pulled'),
    ],
  }
}

const NOW = Date.now()
const minutes = (ago: number) => new Date(NOW - ago * 60_000)

export function outputLevel(words: Words = MIRA, folder = ''): OutputLevel {
  const file = (name: string, size: number, ago: number, arrived = false): OutputRow => ({
    name,
    path: folder ? `${folder}/${name}` : name,
    isFolder: false,
    size,
    fileCount: 1,
    updatedAt: minutes(ago),
    arrived,
  })
  const dir = (name: string, fileCount: number, size: number, ago: number): OutputRow => ({ ...file(name, size, ago), isFolder: true, fileCount })
  if (folder !== '') return { agentId: 1, folder, totalFiles: 3, rows: [file('regions.csv', 1230, 1), file(words.path, 86_016, 0.2), file('sources.md', 2048, 3)] }
  return {
    agentId: 1,
    folder,
    totalFiles: 12,
    rows: [dir('q3-report', 3, 108_544, 1), dir('suppliers', 8, 3_040_870, 3000), file('index.html', 18_432, 2800), file('notes.md', 900, 200)],
  }
}

const STEPS = [
  { word: 'Scheduled', state: 'done' as const, seconds: '0.1 s', detail: '2 cores and 4 GiB' },
  { word: 'Claude Code ready', state: 'done' as const, seconds: '5.1 s', detail: 'claude-code 2.1.197' },
  { word: 'Sandbox started', state: 'done' as const, seconds: '3.4 s' },
  { word: 'Files restored', state: 'now' as const, detail: '148 of 231 files, 61 of 96 MB', since: new Date(NOW - 4600).toISOString() },
  { word: 'Terminal ready', state: 'later' as const },
]

export const STAGES: Record<string, Stage> = {
  workbench: { kind: 'terminal', sessionId: SESSION, needsRestart: false, readyAt: minutes(200).toISOString(), model: 'opus-4-6' },
  'workbench-light': { kind: 'terminal', sessionId: SESSION, needsRestart: false, theme: 'light' },
  'workbench-notes': {
    kind: 'terminal',
    notice: 'An admin restarted this agent. The image is new.',
    sessionId: SESSION,
    needsRestart: true,
    warning: 'This agent is not isolated. This machine forbids namespaces, and the operator accepted agents without isolation. Do not give it secrets.',
  },
  'workbench-starting': { kind: 'starting', startedAt: new Date(NOW - 14_000).toISOString(), percent: 62, steps: STEPS },
  'workbench-failed': {
    kind: 'failed',
    reason: 'Claude Code could not be installed. The registry did not answer within 60 seconds; check the network of this machine, then try again.',
    seconds: '5.2 s',
    steps: STEPS.map(({ word, detail, seconds }, at) => ({ word, ...(at < 2 ? { detail, seconds } : {}), state: at === 0 ? 'done' : at === 1 ? 'failed' : 'later' }) as const),
  },
  'workbench-stopped': { kind: 'stopped', reason: 'Stopped by you.' },
  'workbench-asleep': { kind: 'asleep' },
}

export function agentForm(words: Words = MIRA): AgentFormModel {
  return {
    values: {
      name: words.name,
      description: words.text,
      icon: 'rocket',
      instructions: 'Collect merged pull requests since the last tag and group them by area.\nWrite for people who use the product.',
      provider: 'anthropic',
      anthropic_base_url: 'https://api.anthropic.com',
      anthropic_haiku_model: 'claude-haiku-4-5-20251001',
      anthropic_sonnet_model: 'claude-sonnet-4-5-20250929',
      anthropic_opus_model: 'claude-opus-4-6',
      http_proxy: '',
      https_proxy: '',
      cpu: '',
      memory: '',
      image: '',
    },
    image: { standard: 'registry.nordwind.example/sac/agent:1.0.0', choices: [] },
    envs: [],
    errors: {},
    icons: ['bot', 'chart-column', 'code', 'book-open', 'database', 'message-square', 'rocket', 'flask-conical', 'globe', 'shield', 'wrench', 'zap'],
    presets: [
      {
        id: 'anthropic',
        name: 'Anthropic',
        baseUrl: 'https://api.anthropic.com',
        haiku: 'h',
        sonnet: 's',
        opus: 'claude-opus-4-6',
        keyUrl: 'https://console.anthropic.com/settings/keys',
      },
      { id: 'kimi', name: 'Kimi', baseUrl: 'https://api.moonshot.ai/anthropic', haiku: 'kimi-k2', sonnet: 'kimi-k2', opus: 'kimi-k2' },
      { id: 'other', name: 'Other', baseUrl: '', haiku: '', sonnet: '', opus: '' },
    ],
    limits: { cpu: 2, memoryGib: 4, maxCpu: 8, maxMemoryGib: 16 },
  }
}

/** A form that was refused: errors, a stored key, variables. */
export function refusedForm(words: Words = MIRA): AgentFormModel {
  const form = agentForm(words)
  return {
    ...form,
    id: 1,
    version: 3,
    values: { ...form.values, memory: '48', cpu: '4' },
    image: { standard: 'registry.nordwind.example/sac/agent:1.0.0', choices: ['registry.nordwind.example/sac/agent:1.0.0', words.text] },
    token: { last4: 'wxyz', setAt: '2026-11-20T10:00:00Z' },
    envs: [
      { key: 'TZ', value: words.text, secret: false, set: false },
      { key: 'GITHUB_TOKEN', value: '', secret: true, set: true },
    ],
    errors: { memory_limit: 'At most 16 GiB. Ask an admin for more.', name: words.text },
    problem: 'At most 16 GiB. Ask an admin for more.',
  }
}

/** One page of everyone's agents. */
export function fleet(words: Words = MIRA, metrics: FleetPage['metrics'] = 'here'): FleetPage {
  const row = (id: number, name: string, state: FleetRow['state'], line: string, more: Partial<FleetRow> = {}): FleetRow => ({
    id,
    name,
    icon: 'bot',
    state,
    line,
    owner: { id, displayName: words === MIRA ? 'Lena Okafor' : words.text, username: words.name },
    restarts: 0,
    activeAt: minutes(id * 40),
    ...more,
  })
  const image = words === MIRA ? 'registry.example.com/claude-code:2.1.197' : words.path
  return {
    rows: [
      row(1, words.name, 'failed', words.text, { restarts: 11 }),
      row(2, 'Support triage', 'needs-you', '', { image, usage: metrics === 'here' ? { cpuPercent: 3, memoryPercent: 74 } : undefined }),
      row(3, 'Data migration', 'working', '', { image, usage: metrics === 'here' ? { cpuPercent: 96, memoryPercent: 47 } : undefined }),
      row(4, 'Log explorer', 'stopped', 'Stopped by you.', { activeAt: undefined }),
    ],
    query: { q: words === MIRA ? '' : words.text, sort: 'state', descending: false },
    counts: { failed: 1, 'needs-you': 1, working: 1, stopped: 44 },
    after: 'abc',
    metrics,
  }
}

/** One agent for an admin: one that waits, with what the cluster says about it. */
export function agentDetail(words: Words = MIRA): AgentDetailView {
  const [row] = fleet(words).rows
  if (!row) throw new Error('the samples have no agent')
  const raw = '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.'
  const evidence = words === MIRA ? raw : words.text
  const reason = words === MIRA ? 'No node of the cluster has enough free CPU. Stop another agent, or ask an admin for more room; the start goes on by itself.' : words.text
  return {
    ...row,
    state: 'working',
    image: 'registry.example.com/claude-code:2.1.197',
    node: words.path,
    usage: { cpuPercent: 72, memoryPercent: 93 },
    memoryBytes: 3.7 * 1024 ** 3,
    createdAt: minutes(60 * 24 * 40),
    generation: 12,
    readyAt: minutes(64),
    reason,
    warning: 'New files of this agent do not appear in the portal at the moment.',
    notice: `An admin restarted this agent. ${words.text}`,
    starts: [
      { startedAt: minutes(65), outcome: 'ready', generation: 12, seconds: 4.2, cause: 'The sandbox used more memory than it may and was ended.' },
      {
        startedAt: minutes(300),
        outcome: 'ended',
        generation: 11,
        seconds: 61.5,
        reason: 'The sandbox used more memory than it may and was ended.',
        evidence: 'OOMKilled, exit code 137',
      },
      { startedAt: minutes(900), outcome: 'failed', generation: 10, seconds: 300, reason, evidence },
      { startedAt: minutes(901), outcome: 'given-up', generation: 9 },
    ],
    events: [
      { at: minutes(1), kind: 'Pod', reason: 'FailedScheduling', message: evidence, isWarning: true, count: 14 },
      {
        at: minutes(2),
        kind: 'StatefulSet',
        reason: words === MIRA ? 'SuccessfulCreate' : words.name,
        message: 'create Pod claude-code-1-1-0 in StatefulSet claude-code-1-1 successful',
        isWarning: false,
        count: 1,
      },
    ],
    metrics: 'here',
  }
}

/** All pages by name. */
export function samplePages(frame: PageFrame, words: Words = MIRA): Record<string, string | Promise<string>> {
  const shell = { frame, viewer: viewer(words === MIRA ? {} : words), list: agentList(words, 1) }
  const logins = [
    { id: 'a', current: true, userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36', address: '10.0.0.4', lastSeenAt: minutes(0) },
    { id: 'b', current: false, userAgent: words === MIRA ? 'Mozilla/5.0 (iPhone) Version/19 Safari/605' : words.text, address: '10.0.0.9', lastSeenAt: minutes(100) },
  ]
  const registration = { errors: {}, minPasswordLength: 12, values: { username: '', email: '', display_name: '' } }
  const card = shell.list.cards[0]
  if (!card) throw new Error('the samples have no agent')
  const states = { starting: 'starting', failed: 'failed', stopped: 'stopped', asleep: 'idle', terminal: card.state } as const
  const workbenches = Object.entries(STAGES).map(([name, stage]) => {
    const shown = { ...card, state: states[stage.kind], usage: stage.kind === 'terminal' ? card.usage : undefined }
    const list = { ...shell.list, cards: [shown, ...shell.list.cards.slice(1)] }
    return [name, WorkbenchPage({ ...shell, list, card: shown, stage, output: outputLevel(words), events: '' })] as const
  })
  return {
    login: LoginPage({ frame, next: '/', login: '', mode: 'open' }),
    'login-refused': LoginPage({
      frame,
      next: '/',
      login: words.text,
      mode: 'invite',
      problem: 'That name and password do not match. After 3 more tries we pause sign-in for a minute.',
    }),
    register: RegisterPage({
      frame,
      model: {
        ...registration,
        mode: 'invite',
        invitation: { code: 'x', email: 'tomas.lind@nordwind.example' },
        values: { username: words.name, email: '', display_name: 'Tomas Lind' },
        errors: { username: words === MIRA ? '“mira” is taken.' : words.text },
      },
    }),
    'register-closed': RegisterPage({ frame, model: { ...registration, mode: 'closed' } }),
    'error-404': ErrorPage({
      frame,
      status: 404,
      message: 'It may have been moved or deleted, or it belongs to someone who has not shared it with you.',
      requestId: 'req_01JD8M4QK7T3WZ',
    }),
    'error-500': ErrorPage({ frame, status: 500, message: words.text, requestId: 'req_01JD8M4QK7T3WZ' }),
    'first-run': FirstRunPage({ ...shell, list: { cards: [], limit: 6 }, form: { ...agentForm(), values: { ...agentForm().values, name: '' } } }),
    'agent-new': AgentFormPage({ ...shell, form: agentForm(words) }),
    'agent-edit': AgentFormPage({ ...shell, form: refusedForm(words) }),
    'admin-agent': AdminAgentPage({ frame, viewer: { ...shell.viewer, role: 'admin' }, agent: agentDetail(words), events: '' }),
    'admin-agent-new': AdminAgentPage({
      frame,
      viewer: { ...shell.viewer, role: 'admin' },
      agent: { ...agentDetail(words), state: 'running', usage: undefined, metrics: 'forbidden', metricsEvidence: words.text, starts: [], events: [] },
      events: '',
    }),
    'admin-agents': AdminAgentsPage({ frame, viewer: { ...shell.viewer, role: 'admin' }, fleet: fleet(words), events: '' }),
    'admin-agents-unmeasured': AdminAgentsPage({
      frame,
      viewer: { ...shell.viewer, role: 'admin' },
      fleet: { ...fleet(words, 'forbidden'), before: 'x', after: undefined },
      events: '',
    }),
    'admin-agents-none': AdminAgentsPage({ frame, viewer: { ...shell.viewer, role: 'admin' }, fleet: { ...fleet(words), rows: [], counts: {}, after: undefined }, events: '' }),
    ...imagePages(frame, { ...shell.viewer, role: 'admin' }, words),
    account: AccountPage({ ...shell, logins, errors: words === MIRA ? {} : { current_password: words.text }, done: 'Your appearance is saved.' }),
    ...Object.fromEntries(workbenches),
    'workbench-no-output': WorkbenchPage({
      events: '',
      ...shell,
      card,
      stage: { kind: 'terminal', sessionId: SESSION, needsRestart: false },
      output: { agentId: 1, folder: '', rows: [], totalFiles: 0 },
    }),
  }
}
