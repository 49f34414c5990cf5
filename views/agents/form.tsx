// The form of an agent, for a new one and for changes. Secrets go in and are never shown again.
import { Callout, FieldError, Icon, TextField } from '../components/basics.tsx'
import { Shell } from '../layout.tsx'
import type { AgentFormModel, AgentList, PageFrame, Viewer } from '../model.ts'

/** Page with the whole form; errors stand beside their fields. */
export function AgentFormPage({ frame, viewer, list, form }: { frame: PageFrame; viewer: Viewer; list: AgentList; form: AgentFormModel }) {
  const title = form.id === undefined ? 'New agent' : 'Edit agent'
  return (
    <Shell frame={frame} title={title} viewer={viewer} list={list} section="agent">
      <form class="panel" aria-label={title} method="post" action={form.id === undefined ? '/agents' : `/agents/${form.id}`}>
        {form.version === undefined ? '' : <input type="hidden" name="version" value={String(form.version)} />}
        <div class="bar">
          <nav aria-label="Breadcrumbs">
            <ol class="breadcrumbs">
              <li>
                <a href="/">Agents</a>
              </li>
              <li>
                <h1 aria-current="page">{title}</h1>
              </li>
            </ol>
          </nav>
          <span class="row end">
            <a class="button quiet small" href={form.id === undefined ? '/' : `/agents/${form.id}`}>
              Cancel
            </a>
            <button class="button primary small" type="submit">
              {form.id === undefined ? 'Create and start' : 'Save'}
            </button>
          </span>
        </div>
        <div class="page">
          <div class="page-inner narrow">
            {form.problem ? <Callout tone="bad" title="This cannot be saved yet" text={form.problem} id="form-error" /> : ''}
            <Identity form={form} />
            <Model form={form} />
            <Instructions form={form} />
            <Resources form={form} />
            <Environment form={form} />
          </div>
        </div>
      </form>
    </Shell>
  )
}

function Identity({ form }: { form: AgentFormModel }) {
  return (
    <section class="section">
      <header>
        <h2>Who it is</h2>
      </header>
      <TextField name="name" label="Name" value={form.values.name} required autofocus errors={form.errors} />
      <TextField name="description" label="Description" value={form.values.description} optional placeholder="What you use it for" errors={form.errors} />
      <fieldset>
        <legend>Icon</legend>
        <div class="icon-picker">
          {form.icons.map((icon) => (
            <label class="choice" title={icon}>
              <input type="radio" name="icon" value={icon} aria-label={icon} checked={icon === form.values.icon} />
              <Icon name={icon} />
            </label>
          ))}
        </div>
        <FieldError name="icon" errors={form.errors} />
      </fieldset>
    </section>
  )
}

function Model({ form }: { form: AgentFormModel }) {
  const { values, errors } = form
  return (
    <section class="section" x-data="presetFill">
      <header>
        <h2>Model</h2>
        <p>Where Claude Code sends its requests. Keys are stored encrypted and never shown again.</p>
      </header>
      <div class="choices" role="radiogroup" aria-label="Provider">
        {form.presets.map((preset) => (
          <label class="choice">
            <input
              type="radio"
              name="provider"
              value={preset.id}
              checked={preset.id === values.provider}
              data-url={preset.baseUrl}
              data-haiku={preset.haiku}
              data-sonnet={preset.sonnet}
              data-opus={preset.opus}
              {...{ 'x-on:change': 'fill' }}
            />
            <span class="tile">
              <Icon name={preset.id === 'other' ? 'sliders-horizontal' : 'server'} />
            </span>
            <b safe>{preset.name}</b>
            <small safe>{preset.baseUrl === '' ? 'Any compatible endpoint' : new URL(preset.baseUrl).host}</small>
          </label>
        ))}
      </div>
      <TextField name="anthropic_base_url" label="Base URL" value={values.anthropic_base_url} mono errors={errors} />
      <TextField name="anthropic_auth_token" label="API key" type="password" autocomplete="off" mono hint={tokenHint(form)} errors={errors} />
      {form.token ? (
        <label class="check">
          <input type="checkbox" name="remove_token" value="1" />
          Remove the stored key
        </label>
      ) : (
        ''
      )}
      <div class="fields thirds">
        <TextField name="anthropic_opus_model" label="Opus" value={values.anthropic_opus_model} mono errors={errors} />
        <TextField name="anthropic_sonnet_model" label="Sonnet" value={values.anthropic_sonnet_model} mono errors={errors} />
        <TextField name="anthropic_haiku_model" label="Haiku" value={values.anthropic_haiku_model} mono errors={errors} />
      </div>
    </section>
  )
}

function tokenHint({ token }: AgentFormModel): string {
  if (!token) return 'From your provider. Without one the agent starts, but cannot ask its model.'
  return `Set on ${token.setAt.slice(0, 10)}${token.last4 ? `, ends in ${token.last4}` : ''}. Leave empty to keep it, or type a new one to replace it.`
}

function Instructions({ form }: { form: AgentFormModel }) {
  return (
    <section class="section">
      <header>
        <h2>Instructions</h2>
        <p>Added to CLAUDE.md after what the portal sets.</p>
      </header>
      <div class="field">
        <label class="visually-hidden" for="instructions">
          Instructions
        </label>
        <textarea class="textarea" id="instructions" name="instructions" rows="6" safe>
          {form.values.instructions}
        </textarea>
        <FieldError name="instructions" errors={form.errors} />
      </div>
    </section>
  )
}

function Resources({ form: { values, errors, limits } }: { form: AgentFormModel }) {
  return (
    <section class="section">
      <header>
        <h2>Resources</h2>
        <p>Changing these later needs a restart of the agent.</p>
      </header>
      <div class="fields">
        <TextField name="cpu_limit" label="CPU limit" value={values.cpu} unit="cores" hint={`Standard is ${limits.cpu}, you may use up to ${limits.maxCpu}`} errors={errors} />
        <TextField
          name="memory_limit"
          label="Memory limit"
          value={values.memory}
          unit="GiB"
          hint={`Standard is ${limits.memoryGib}, you may use up to ${limits.maxMemoryGib}`}
          errors={errors}
        />
      </div>
    </section>
  )
}

function Environment({ form }: { form: AgentFormModel }) {
  return (
    <section class="section" x-data="envRows">
      <header>
        <h2>Network and environment</h2>
      </header>
      <div class="fields">
        <TextField name="https_proxy" label="HTTPS proxy" value={form.values.https_proxy} optional mono placeholder="http://proxy:3128" errors={form.errors} />
        <TextField name="http_proxy" label="HTTP proxy" value={form.values.http_proxy} optional mono placeholder="http://proxy:3128" errors={form.errors} />
      </div>
      <div class="stack small-gap" role="group" aria-label="Environment variables" x-ref="rows">
        {form.envs.map((env) => (
          <EnvRow env={env} />
        ))}
      </div>
      <FieldError name="custom_envs" errors={form.errors} />
      <template x-ref="row">
        <EnvRow env={{ key: '', value: '', secret: false, set: false }} />
      </template>
      <div>
        <button class="button small" type="button" {...{ 'x-on:click': 'add' }}>
          <Icon name="plus" />
          Add variable
        </button>
      </div>
    </section>
  )
}

function EnvRow({ env }: { env: AgentFormModel['envs'][number] }) {
  return (
    <div class="row" data-row>
      <input class="input mono" name="env_key" value={env.key} aria-label="Variable name" placeholder="NAME" />
      <input class="input mono" name="env_value" value={env.value} aria-label="Value" placeholder={env.set ? 'Set; type to replace' : 'Value'} autocomplete="off" />
      <select class="select" name="env_kind" aria-label="Kind">
        <option value="plain" selected={!env.secret}>
          Plain
        </option>
        <option value="secret" selected={env.secret}>
          Secret
        </option>
      </select>
      <button class="button icon-only quiet small" type="button" aria-label="Remove variable" {...{ 'x-on:click': 'remove' }}>
        <Icon name="x" />
      </button>
    </div>
  )
}
