// Pages of images and settings with sample data, for the gallery and for tests of the views.
import { settingsForm } from '../../src/settings/fields.ts'
import { ruleOf, SETTINGS, type SettingKey } from '../../src/settings/keys.ts'
import type { EffectiveSetting } from '../../src/settings/settings.ts'
import type { PageFrame, Viewer } from '../../views/model.ts'
import { RolloutFormPage } from '../../views/rollouts/form.tsx'
import { RolloutsPage } from '../../views/rollouts/list.tsx'
import type { RolloutFormModel, RolloutPageModel, RolloutSummary } from '../../views/rollouts/model.ts'
import { RolloutPage } from '../../views/rollouts/progress.tsx'
import { SettingsPage } from '../../views/settings/page.tsx'

const NOW = Date.now()
const minutes = (ago: number) => new Date(NOW - ago * 60_000)
const OLD = 'registry.nordwind.example/sac/agent:1.0.0'
const NEW = 'registry.nordwind.example/sac/agent:1.1.0'

interface Words {
  name: string
  text: string
}

/** By name of the sample. */
export function imagePages(frame: PageFrame, viewer: Viewer, words: Words): Record<string, string | Promise<string>> {
  const shared = { frame, viewer }
  const settings = effective(words)
  const refused = { docker_image: 'An image name has no spaces.', agent_storage_size: 'Give an amount like 10Gi, not “10GG”.' }
  const typed = { docker_image: 'claude-code:2.2.0 rc1', agent_storage_size: words.text, max_agents_per_user: '6' }
  return {
    'admin-settings': SettingsPage({ ...shared, form: settingsForm({ settings, inCluster: true, notes: { docker_image: words.text }, saved: true }) }),
    'admin-settings-refused': SettingsPage({ ...shared, form: settingsForm({ settings, inCluster: true, typed, errors: refused, problem: words.text }) }),
    'admin-settings-local': SettingsPage({ ...shared, form: settingsForm({ settings, inCluster: false }) }),
    'admin-images': RolloutsPage({
      ...shared,
      stream: '/admin/rollouts/live',
      rollouts: [running(words), stopped(), { ...stopped(), id: 1, image: undefined, status: 'done', reason: undefined }],
    }),
    'admin-images-none': RolloutsPage({ ...shared, stream: '/admin/rollouts/live', rollouts: [] }),
    'admin-images-change': RolloutPage({ ...shared, stream: '/admin/rollouts/live?rollout=3', ...progress(words) }),
    'admin-images-stopped': RolloutPage({ ...shared, stream: '/admin/rollouts/live?rollout=2', rollout: stopped(words.text), agents: progress(words).agents.slice(0, 2) }),
    'admin-images-new': RolloutFormPage({ ...shared, form: wish(words) }),
    'admin-images-refused': RolloutFormPage({
      ...shared,
      form: { ...wish(words), errors: { image: words.text, wave_size: 'Give a whole number from 1 to 500.' }, problem: 'No.' },
    }),
    'admin-images-local': RolloutFormPage({ ...shared, form: { ...wish(words), chosen: [], images: [], inherited: '', hasImages: false } }),
  }
}

function effective(words: Words): EffectiveSetting[] {
  const changed: Partial<Record<SettingKey, unknown>> = { max_agents_per_user: 6, docker_image: NEW, allowed_images: [OLD, words.text], agent_storage_class: words.name }
  return (Object.keys(SETTINGS) as SettingKey[]).map((key) => ({
    key,
    value: changed[key] ?? ruleOf(key).builtIn,
    changed: key in changed,
    inherited: key === 'docker_image' ? OLD : ruleOf(key).builtIn,
    inheritedFrom: key === 'docker_image' || key === 'agent_runtime_class' ? 'environment' : 'built-in',
    overrides: key === 'default_cpu_limit' ? 7 : key === 'default_memory_limit_mb' ? 1 : 0,
  }))
}

function running({ text }: Words): RolloutSummary {
  const counts = { queued: 21, updating: 4, done: 14, failed: 1, skipped: 1 }
  return { id: 3, image: text.includes('<') ? text : NEW, status: 'running', wave: 4, waveSize: 5, counts, total: 41, createdAt: minutes(6) }
}

function stopped(reason = '3 agents failed with this image, so no further wave began.'): RolloutSummary {
  const counts = { queued: 0, updating: 0, done: 2, failed: 3, skipped: 36 }
  return {
    id: 2,
    image: 'registry.nordwind.example/sac/agent:1.1.0-rc1',
    status: 'stopped',
    reason,
    wave: 1,
    waveSize: 5,
    counts,
    total: 41,
    createdAt: minutes(300),
    finishedAt: minutes(295),
  }
}

function progress(words: Words): RolloutPageModel {
  const failed = 'The new image did not come up: The agent’s image was not found. Ask an admin to correct its name or to push it. It runs its old image again.'
  return {
    rollout: running(words),
    agents: [
      { id: 1, name: words.name, owner: words.name, state: 'failed', goingBack: true, wave: 2, reason: failed },
      { id: 2, name: 'Data migration', owner: words.name, state: 'updating', goingBack: true, wave: 4, reason: words.text },
      { id: 3, name: 'Support triage', owner: words.name, state: 'updating', goingBack: false, wave: 4 },
      { id: 4, name: 'Docs site', owner: words.name, state: 'queued', goingBack: false },
      { id: 5, name: 'Log explorer', owner: words.name, state: 'skipped', goingBack: false, reason: 'Another rollout changes it at the moment.' },
      { id: 6, name: 'Release notes', owner: words.name, state: 'done', goingBack: false, reason: 'It does not run; it has the image from its next start on.' },
      { id: 7, name: 'Quarterly report', owner: words.name, state: 'done', goingBack: false, wave: 1 },
    ],
  }
}

function wish(words: Words): RolloutFormModel {
  return {
    values: { image: NEW, agents: 'chosen', name: words.text, wave_size: '5', max_failures: '3', wait_minutes: '30' },
    chosen: [
      { id: 4, name: words.name },
      { id: 9, name: 'Docs site' },
    ],
    images: [
      { image: OLD, agents: 38 },
      { image: words.text, agents: 3 },
    ],
    inherited: OLD,
    total: 41,
    errors: {},
    hasImages: true,
  }
}
