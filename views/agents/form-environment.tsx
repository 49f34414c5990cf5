// The part of the agent form about proxies and environment variables.
import { FieldError, TextField } from '../components/fields.tsx'
import { Icon, IconButton } from '../components/icon.tsx'
import { quoted } from '../components/text.ts'
import type { AgentFormModel, EnvView } from '../model.ts'

const NO_ENV: EnvView = { key: '', value: '', secret: false, set: false }

/** Open when something in it is set or wrong. A secret's value is never sent to the page. */
export function EnvironmentSection({ form: { values, envs, errors } }: { form: AgentFormModel }) {
  const used = envs.length > 0 || values.http_proxy !== '' || values.https_proxy !== ''
  const wrong = ['http_proxy', 'https_proxy', 'custom_envs'].some((name) => errors[name] !== undefined)
  return (
    <section class="section">
      <details open={used || wrong}>
        <summary class="row fold">
          <Icon name="chevron-right" small twist />
          <h2>Network and environment</h2>
        </summary>
        <div class="stack pad-top">
          <div class="fields pairs">
            <TextField name="https_proxy" label="HTTPS proxy" value={values.https_proxy} optional mono autocomplete="off" placeholder="http://proxy:3128" errors={errors} />
            <TextField name="http_proxy" label="HTTP proxy" value={values.http_proxy} optional mono autocomplete="off" placeholder="http://proxy:3128" errors={errors} />
          </div>
          <div class="stack small-gap" role="group" aria-label="Environment variables" aria-describedby={errors.custom_envs ? 'custom_envs-error' : undefined}>
            <div class="stack small-gap" x-ref="envs">
              {envs.map((env) => (
                <EnvRow env={env} />
              ))}
            </div>
            <FieldError name="custom_envs" errors={errors} />
            <div>
              <button class="button small" type="button" {...{ 'x-on:click': 'addEnv' }}>
                <Icon name="plus" />
                Add variable
              </button>
            </div>
          </div>
        </div>
      </details>
      <template x-ref="envTemplate">
        <EnvRow env={NO_ENV} />
      </template>
    </section>
  )
}

function EnvRow({ env }: { env: EnvView }) {
  const named = env.key || 'variable'
  return (
    <div class="env-row" data-env>
      <input class="input mono" name="env_key" value={quoted(env.key)} aria-label="Variable name" placeholder="NAME" autocomplete="off" autocapitalize="off" spellcheck="false" />
      <input
        class="input mono"
        name="env_value"
        type={env.secret ? 'password' : 'text'}
        value={quoted(env.value)}
        aria-label={quoted(`Value of ${named}`)}
        placeholder={env.set ? 'Set; type to replace' : 'Value'}
        autocomplete="off"
        spellcheck="false"
      />
      <select class="select" name="env_kind" aria-label={quoted(`Kind of ${named}`)} {...{ 'x-on:change': 'hideEnv' }}>
        <option value="plain" selected={!env.secret}>
          Plain
        </option>
        <option value="secret" selected={env.secret}>
          Secret
        </option>
      </select>
      <IconButton icon="x" label={`Remove ${named}`} more={{ 'x-on:click': 'removeEnv' }} />
    </div>
  )
}
