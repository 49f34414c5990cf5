// The part of the agent form about the model: provider, address, key and model names.
import { FieldError, TextField } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { day } from '../components/measures.ts'
import type { AgentFormModel, PresetView } from '../model.ts'

/** Presets fill the fields below them; a stored key is told by its last characters only. */
export function ModelSection({ form }: { form: AgentFormModel }) {
  const { values, errors } = form
  return (
    <section class="section">
      <header>
        <h2>Model</h2>
        <p>Where Claude Code sends its requests. Keys are stored encrypted and never shown again.</p>
      </header>
      <div class="choices" role="radiogroup" aria-label="Provider" aria-describedby={errors.provider ? 'provider-error' : undefined} {...{ 'x-on:change': 'fill' }}>
        {form.presets.map((preset) => (
          <Preset preset={preset} checked={preset.id === values.provider} />
        ))}
      </div>
      <FieldError name="provider" errors={errors} />
      <TextField
        name="anthropic_base_url"
        label="Base URL"
        value={values.anthropic_base_url}
        mono
        autocomplete="off"
        placeholder="https://"
        errors={errors}
        more={{ inputmode: 'url' }}
      />
      <Key form={form} />
      <div class="fields thirds">
        <TextField name="anthropic_opus_model" label="Opus" value={values.anthropic_opus_model} mono autocomplete="off" errors={errors} />
        <TextField name="anthropic_sonnet_model" label="Sonnet" value={values.anthropic_sonnet_model} mono autocomplete="off" errors={errors} />
        <TextField name="anthropic_haiku_model" label="Haiku" value={values.anthropic_haiku_model} mono autocomplete="off" errors={errors} />
      </div>
    </section>
  )
}

function Preset({ preset, checked }: { preset: PresetView; checked: boolean }) {
  return (
    <label class="choice">
      <input
        type="radio"
        name="provider"
        value={preset.id}
        checked={checked}
        data-name={preset.name}
        data-url={preset.baseUrl}
        data-haiku={preset.haiku}
        data-sonnet={preset.sonnet}
        data-opus={preset.opus}
        data-key-url={preset.keyUrl}
      />
      <span class="tile">
        <Icon name={preset.id === 'other' ? 'sliders-horizontal' : 'server'} />
      </span>
      <b safe>{preset.name}</b>
      <small class="truncate" safe>
        {preset.baseUrl === '' ? 'Any compatible endpoint' : new URL(preset.baseUrl).host}
      </small>
    </label>
  )
}

function Key({ form }: { form: AgentFormModel }) {
  const { token, errors } = form
  if (!token) return <KeyField form={form} label="API key" hint="Without a key the agent starts, but cannot ask its model." />
  return (
    <div class="field">
      <span class="label">API key</span>
      <p class="stored">
        <Icon name="key-round" small />
        <span safe>{`Set on ${day(new Date(token.setAt))}${token.last4 ? `, ends in ${token.last4}` : ''}`}</span>
      </p>
      <details open={errors.anthropic_auth_token !== undefined}>
        <summary class="link-button">Replace or remove</summary>
        <div class="stack pad-top">
          <KeyField form={form} label="New API key" hint="Leave it empty to keep the stored one." />
          <label class="check">
            <input type="checkbox" name="remove_token" value="1" />
            Remove the stored key
          </label>
        </div>
      </details>
    </div>
  )
}

function KeyField({ form, label, hint }: { form: AgentFormModel; label: string; hint: string }) {
  const keyUrl = form.presets.find((preset) => preset.id === form.values.provider)?.keyUrl
  return (
    <TextField name="anthropic_auth_token" label={label} type="password" autocomplete="off" mono hint={hint} errors={form.errors}>
      <span class="hint" x-ref="keyHelp" hidden={keyUrl === undefined}>
        <a href={keyUrl ?? '#'} target="_blank" rel="noopener noreferrer">
          Where to get a key
        </a>
      </span>
    </TextField>
  )
}
