// Parts of the agent form: who it is, what it is told, what it may use.
import { FieldError, TextField } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { quoted } from '../components/text.ts'
import type { AgentFormModel } from '../model.ts'

/** Name, description and icon. */
export function IdentitySection({ form: { id, values, errors, icons } }: { form: AgentFormModel }) {
  const clean = Object.keys(errors).length === 0
  return (
    <section class="section">
      <header>
        <h2>Who it is</h2>
      </header>
      <TextField name="name" label="Name" value={values.name} required autofocus={id === undefined && clean} maxlength={100} autocomplete="off" errors={errors} />
      <TextField name="description" label="Description" value={values.description} optional maxlength={500} placeholder="What you use it for" autocomplete="off" errors={errors} />
      <fieldset>
        <legend>Icon</legend>
        <div class="icon-picker">
          {icons.map((icon) => (
            <label class="choice" title={words(icon)}>
              <input type="radio" name="icon" value={icon} aria-label={words(icon)} checked={icon === values.icon} />
              <Icon name={icon} />
            </label>
          ))}
        </div>
        <FieldError name="icon" errors={errors} />
      </fieldset>
    </section>
  )
}

function words(icon: string): string {
  return icon.replaceAll('-', ' ')
}

/** What goes into CLAUDE.md. */
export function InstructionsSection({ form: { values, errors } }: { form: AgentFormModel }) {
  return (
    <section class="section">
      <header>
        <h2>
          <label for="instructions">Instructions</label>
        </h2>
        <p id="instructions-hint">Added to CLAUDE.md after what the portal sets. A running agent goes on with the earlier text until you restart it.</p>
      </header>
      <div class="field">
        <textarea
          class="textarea"
          id="instructions"
          name="instructions"
          rows="6"
          maxlength="50000"
          aria-invalid={errors.instructions ? 'true' : undefined}
          aria-describedby={errors.instructions ? 'instructions-hint instructions-error' : 'instructions-hint'}
          placeholder="For example: Write for people who use the product. Put finished notes in output/."
          safe
        >
          {`\n${values.instructions}`}
        </textarea>
        <FieldError name="instructions" errors={errors} />
      </div>
    </section>
  )
}

/** Limits of the sandbox. Empty takes the standard. */
export function ResourcesSection({ form }: { form: AgentFormModel }) {
  const { values, errors, limits } = form
  return (
    <section class="section">
      <header>
        <h2>Resources</h2>
        <p>Changing these later needs a restart of the agent.</p>
      </header>
      <div class="fields">
        <TextField
          name="cpu_limit"
          label="CPU limit"
          value={values.cpu}
          unit="cores"
          placeholder={String(limits.cpu)}
          hint={`Standard is ${limits.cpu}, you may use up to ${limits.maxCpu}`}
          errors={errors}
        />
        <TextField
          name="memory_limit"
          label="Memory limit"
          value={values.memory}
          unit="GiB"
          placeholder={String(limits.memoryGib)}
          hint={`Standard is ${limits.memoryGib}, you may use up to ${limits.maxMemoryGib}`}
          errors={errors}
        />
        <ImageField form={form} />
      </div>
    </section>
  )
}

function ImageField({ form: { image, values, errors } }: { form: AgentFormModel }) {
  if (!image) return ''
  if (image.choices.length === 0)
    return <TextField name="present_image" label="Image" value={values.image || image.standard} mono wide readonly hint="Admins choose the image of your agents." />
  return (
    <div class="field wide">
      <label for="image">Image</label>
      <select class="select" id="image" name="image" aria-invalid={errors.image ? 'true' : undefined} aria-describedby={errors.image ? 'image-error' : 'image-hint'}>
        <option value="" selected={values.image === ''} safe>
          {`Standard: ${image.standard}`}
        </option>
        {image.choices.map((choice) => (
          <option value={quoted(choice)} selected={values.image === choice} safe>
            {choice}
          </option>
        ))}
      </select>
      <span class="hint" id="image-hint">
        A running agent keeps its image until you restart it.
      </span>
      <FieldError name="image" errors={errors} />
    </div>
  )
}
