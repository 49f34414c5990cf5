// The form that begins a rollout: which agents, which image, and how carefully.
import { AdminShell } from '../admin/shell.tsx'
import { Callout } from '../components/callout.tsx'
import { FieldError, TextField } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { count } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import type { PageFrame, Viewer } from '../model.ts'
import type { RolloutFormModel } from './model.ts'

interface FormProps {
  frame: PageFrame
  viewer: Viewer
  form: RolloutFormModel
}

/** The page. */
export function RolloutFormPage({ frame, viewer, form }: FormProps) {
  const { problem, errors, hasImages } = form
  return (
    <AdminShell frame={frame} viewer={viewer} title="Change images" section="rollouts">
      <form class="panel" aria-label="Change images" method="post" action="/admin/rollouts" novalidate>
        <div class="bar">
          <nav aria-label="Breadcrumbs">
            <ol class="breadcrumbs">
              <li>
                <a href="/admin/rollouts">Images</a>
              </li>
              <li>
                <h1 aria-current="page" tabindex="-1">
                  Change images
                </h1>
              </li>
            </ol>
          </nav>
          <span class="row end">
            <a class="button quiet small" href="/admin/rollouts">
              Cancel
            </a>
            <button class="button primary small" type="submit" disabled={!hasImages}>
              Begin
            </button>
          </span>
        </div>
        <div class="page">
          <div class="page-inner narrow stack loose">
            {hasImages ? '' : <Callout tone="accent" title="Agents have no images here" text="On one machine they run the Claude Code that is installed there." />}
            {problem ? <Callout tone="bad" title="Nothing was begun" text={Object.keys(errors).length > 0 ? 'Correct what is marked below.' : problem} id="rollout-problem" /> : ''}
            <Which form={form} />
            <What form={form} />
            <How form={form} />
          </div>
        </div>
      </form>
    </AdminShell>
  )
}

function Which({ form: { chosen, images, total, values, errors } }: { form: RolloutFormModel }) {
  return (
    <section class="stack">
      <h2>Agents</h2>
      <div class="fields pairs">
        <div class="field">
          <label for="agents">Which</label>
          <select class="select" id="agents" name="agents" aria-invalid={errors.agent_ids ? 'true' : undefined} aria-describedby={errors.agent_ids ? 'agent_ids-error' : undefined}>
            {values.agents === '' ? (
              <option value="" selected>
                Choose…
              </option>
            ) : (
              ''
            )}
            {chosen.length > 0 || values.agents === 'chosen' ? (
              <option value="chosen" selected={values.agents === 'chosen'}>
                {chosen.length > 0 ? count(chosen.length, 'chosen agent') : 'Chosen agents (none is left)'}
              </option>
            ) : (
              ''
            )}
            <option value="all" selected={values.agents === 'all'} safe>
              {`All agents (${total.toLocaleString('en-GB')})`}
            </option>
            {offered(images, values.agents).map(({ image, agents }) => (
              <option value={quoted(`image:${image}`)} selected={values.agents === `image:${image}`} safe>
                {`Those with ${image} (${agents.toLocaleString('en-GB')})`}
              </option>
            ))}
          </select>
          <FieldError name="agent_ids" errors={errors} />
        </div>
        <TextField name="name" label="Whose name has" value={values.name} optional hint="For all or those with an image: a part of the agent’s name." maxlength={100} />
      </div>
      {chosen.map(({ id }) => (
        <input type="hidden" name="ids" value={String(id)} />
      ))}
      {chosen.length > 0 ? (
        <p class="hint" safe>
          {`Chosen: ${chosen
            .slice(0, 8)
            .map(({ name }) => name)
            .join(', ')}${chosen.length > 8 ? ` and ${chosen.length - 8} more` : ''}`}
        </p>
      ) : (
        ''
      )}
    </section>
  )
}

// What was chosen stays chosen, also when no agent has that image any more.
function offered(images: RolloutFormModel['images'], chosen: string): RolloutFormModel['images'] {
  const image = chosen.startsWith('image:') ? chosen.slice('image:'.length) : ''
  return image === '' || images.some((offer) => offer.image === image) ? images : [...images, { image, agents: 0 }]
}

function What({ form: { values, errors, images, inherited } }: { form: RolloutFormModel }) {
  return (
    <section class="stack">
      <h2>Image</h2>
      <TextField
        name="image"
        label="New image"
        value={values.image}
        mono
        optional
        placeholder={inherited}
        hint="With its registry and a fixed tag or digest. Empty: agents follow the settings from now on."
        errors={errors}
        maxlength={400}
        more={{ list: 'images', autocomplete: 'off' }}
      />
      <datalist id="images">
        {[...new Set([inherited, ...images.map(({ image }) => image)])].filter(Boolean).map((image) => (
          <option value={quoted(image)} />
        ))}
      </datalist>
    </section>
  )
}

function How({ form: { values, errors } }: { form: RolloutFormModel }) {
  return (
    <section class="stack">
      <h2>How carefully</h2>
      <div class="fields pairs">
        <TextField name="wave_size" label="At a time" value={values.wave_size} unit="agents" hint="The next ones begin when these run." errors={errors} />
        <TextField name="max_failures" label="Stop after" value={values.max_failures} unit="failures" hint="Whoever fails goes back to the image that it had." errors={errors} />
        <TextField
          name="wait_minutes"
          label="Wait for busy agents"
          value={values.wait_minutes}
          unit="minutes"
          hint="Agents that work, ask or are typed at are left alone for so long."
          errors={errors}
        />
      </div>
      <p class="row hint">
        <Icon name="info" small />
        Agents that do not run get the image once running ones came up with it, or at once where none runs. If their first start with it fails, they go back to the image that they
        had. Conversations and files stay.
      </p>
    </section>
  )
}
