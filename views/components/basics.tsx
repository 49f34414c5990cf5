// Small parts that every page uses: icons, fields, buttons, state words.
import type { AgentState, FieldErrors } from '../model.ts'
import { sprite } from './sprite.ts'

/** An icon of the sprite, hidden from screen readers. */
export function Icon({ name, small, large }: { name: string; small?: boolean; large?: boolean }) {
  return (
    <svg class={['icon', small && 'small', large && 'large']} aria-hidden="true">
      <use href={`${sprite.url}#${name}`} />
    </svg>
  )
}

const STATES: Record<AgentState, { word: string; icon: string }> = {
  starting: { word: 'Starting', icon: 'loader-circle' },
  running: { word: 'Running', icon: 'circle-check' },
  working: { word: 'Working', icon: 'loader' },
  'needs-you': { word: 'Needs you', icon: 'hand' },
  idle: { word: 'Idle', icon: 'moon' },
  stopped: { word: 'Stopped', icon: 'circle-stop' },
  failed: { word: 'Failed', icon: 'triangle-alert' },
}

/** A state as icon and word; colour comes third. */
export function State({ state, chip }: { state: AgentState; chip?: boolean }) {
  return (
    <span class={['state', chip && 'chip']} data-state={state}>
      <Icon name={STATES[state].icon} />
      <span safe>{STATES[state].word}</span>
    </span>
  )
}

/** What is wrong with a field, below it. */
export function FieldError({ name, errors }: { name: string; errors: FieldErrors }) {
  const text = errors[name]
  if (!text) return ''
  return (
    <span class="error" id={`${name}-error`}>
      <Icon name="circle-alert" small />
      <span safe>{text}</span>
    </span>
  )
}

interface TextFieldProps {
  name: string
  label: string
  value?: string
  type?: string
  autocomplete?: string
  hint?: string
  placeholder?: string
  optional?: boolean
  required?: boolean
  autofocus?: boolean
  mono?: boolean
  readonly?: boolean
  unit?: string
  errors?: FieldErrors
}

/** A labelled line of text with its hint and its error. */
export function TextField({
  name,
  label,
  value = '',
  type = 'text',
  autocomplete,
  hint,
  placeholder,
  optional,
  required,
  autofocus,
  mono,
  readonly,
  unit,
  errors = {},
}: TextFieldProps) {
  const described = [hint && `${name}-hint`, errors[name] && `${name}-error`].filter(Boolean).join(' ') || undefined
  const input = (
    <input
      class={['input', mono && 'mono', unit && 'num']}
      id={name}
      name={name}
      type={type}
      value={value}
      autocomplete={autocomplete}
      placeholder={placeholder}
      required={required}
      autofocus={autofocus}
      readonly={readonly}
      aria-invalid={errors[name] ? 'true' : undefined}
      aria-describedby={described}
    />
  ) as 'safe'
  return (
    <div class="field">
      <label for={name}>
        <span safe>{label}</span> {optional ? <span class="optional">Optional</span> : ''}
      </label>
      {type === 'password' || unit ? (
        <div class="input-group">
          {input}
          {unit ? (
            <span class="unit" safe>
              {unit}
            </span>
          ) : (
            <button
              class="button icon-only quiet tiny"
              type="button"
              aria-label="Show password"
              x-data="passwordReveal"
              {...{ 'x-on:click': 'toggle', 'x-bind:aria-label': 'label()' }}
            >
              <Icon name="eye" />
            </button>
          )}
        </div>
      ) : (
        input
      )}
      {hint ? (
        <span class="hint" id={`${name}-hint`} safe>
          {hint}
        </span>
      ) : (
        ''
      )}
      <FieldError name={name} errors={errors} />
    </div>
  )
}

/** A condition of the whole page or form. */
export function Callout({ tone, title, text, id }: { tone: 'bad' | 'warn' | 'ok' | 'accent'; title: string; text?: string; id?: string }) {
  return (
    <div class="callout" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'} id={id}>
      <Icon name={tone === 'ok' ? 'circle-check' : tone === 'bad' ? 'circle-alert' : tone === 'warn' ? 'triangle-alert' : 'info'} />
      <b safe>{title}</b>
      {text ? <p safe>{text}</p> : ''}
    </div>
  )
}

/** "18 KB"; binary steps, at most one decimal. */
export function fileSize(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let size = bytes
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${size >= 10 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** "just now", "3 min", "2 h", else the day. */
export function ago(date: Date, now: Date = new Date()): string {
  const seconds = Math.max(0, (now.getTime() - date.getTime()) / 1000)
  if (seconds < 60) return 'just now'
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`
  return date.toISOString().slice(0, 10)
}
