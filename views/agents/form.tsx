// The form of an agent, for a new one and for changes. Secrets go in and are never shown again.
import { Callout } from '../components/callout.tsx'
import { Icon } from '../components/icon.tsx'
import { Shell } from '../layout.tsx'
import type { AgentFormModel, AgentList, PageFrame, Viewer } from '../model.ts'
import { StageAction } from './actions.tsx'
import { EnvironmentSection } from './form-environment.tsx'
import { ModelSection } from './form-model.tsx'
import { IdentitySection, InstructionsSection, ResourcesSection } from './form-sections.tsx'

interface FormPageProps {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  form: AgentFormModel
}

/** Page with the whole form; errors stand beside their fields. `static/islands/agent-form.ts` fills the summary. */
export function AgentFormPage({ frame, viewer, list, form }: FormPageProps) {
  const isNew = form.id === undefined
  const title = isNew ? 'New agent' : 'Edit agent'
  return (
    <Shell frame={frame} title={title} viewer={viewer} list={list} section="agent">
      <form class="panel" aria-label={title} method="post" action={isNew ? '/agents' : `/agents/${form.id}`} novalidate x-data="agentForm" data-guard>
        {form.version === undefined ? '' : <input type="hidden" name="version" value={String(form.version)} />}
        {form.requestKey === undefined ? '' : <input type="hidden" name="request_key" value={form.requestKey} />}
        <Bar form={form} title={title} />
        <div class="page">
          <div class="page-inner split form">
            <div class="stack loose">
              <Notices form={form} />
              <IdentitySection form={form} />
              <ModelSection form={form} />
              <InstructionsSection form={form} />
              <ResourcesSection form={form} />
              <EnvironmentSection form={form} />
            </div>
            <Summary form={form} />
          </div>
        </div>
      </form>
      {form.needsRestart && form.id !== undefined ? <Restart id={form.id} /> : ''}
    </Shell>
  )
}

function Bar({ form, title }: { form: AgentFormModel; title: string }) {
  const back = form.id === undefined ? '/' : `/agents/${form.id}`
  return (
    <div class="bar">
      <nav aria-label="Breadcrumbs">
        <ol class="breadcrumbs">
          <li>
            <a href={back} safe>
              {form.id === undefined ? 'Agents' : form.values.name || 'Agent'}
            </a>
          </li>
          <li>
            <h1 aria-current="page" tabindex="-1" safe>
              {title}
            </h1>
          </li>
        </ol>
      </nav>
      <span class="row end">
        <span class="hint only-wide" data-changes />
        <a class="button quiet small" href={back}>
          Cancel
        </a>
        <button class="button primary small" type="submit">
          {form.id === undefined ? 'Create and start' : 'Save'}
        </button>
      </span>
    </div>
  )
}

function Notices({ form }: { form: AgentFormModel }) {
  const wrong = Object.keys(form.errors).length
  if (!form.problem) return ''
  // With one wrong field its own line says it; the callout then only counts.
  const text = wrong > 0 ? (wrong === 1 ? 'One field needs your attention.' : `${wrong} fields need your attention.`) : form.problem
  return <Callout tone="bad" title="Not saved" text={text} id="form-error" />
}

// A form cannot lie in a form; this one is shown at the foot of the panel.
function Restart({ id }: { id: number }) {
  return (
    <div class="form-restart">
      <Callout tone="accent" title="Saved changes wait for a restart" text="The running agent still has its earlier settings.">
        <StageAction id={id} verb="restart" word="Restart now" small />
      </Callout>
    </div>
  )
}

function Summary({ form: { values, presets, limits, errors } }: { form: AgentFormModel }) {
  const preset = presets.find((item) => item.id === values.provider)
  const first = Object.values(errors)[0]
  return (
    <aside class="stack only-wide" aria-label="Summary">
      <div class="card summary">
        <header>
          <span class="tile" x-ref="icon">
            <Icon name={values.icon} />
          </span>
          <h2 class="truncate" x-text="name" safe>
            {values.name || 'Unnamed'}
          </h2>
        </header>
        <div class="body">
          <dl class="facts">
            <dt>Provider</dt>
            <dd x-text="provider" safe>
              {preset?.name ?? 'Other'}
            </dd>
            <dt>Model</dt>
            <dd class="anywhere" x-text="model" safe>
              {values.anthropic_opus_model || 'As the provider chooses'}
            </dd>
            <dt>Sandbox</dt>
            <dd x-text="sandbox" data-cpu={String(limits.cpu)} data-memory={String(limits.memoryGib)} x-ref="sandbox" safe>
              {`${values.cpu || limits.cpu} cores, ${values.memory || limits.memoryGib} GiB`}
            </dd>
          </dl>
        </div>
        {first ? (
          <footer>
            <span class="error">
              <Icon name="circle-alert" small />
              <span safe>{first}</span>
            </span>
          </footer>
        ) : (
          ''
        )}
      </div>
    </aside>
  )
}
