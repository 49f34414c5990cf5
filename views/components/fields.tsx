// Form fields with their label, hint and error, each tied to its control.
import type { Children } from '@kitajs/html'
import type { FieldErrors } from '../model.ts'
import { Icon } from './icon.tsx'
import { quoted } from './text.ts'

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
  type?: 'text' | 'password' | 'email' | 'url'
  autocomplete?: string
  hint?: string
  placeholder?: string
  optional?: boolean
  required?: boolean
  autofocus?: boolean
  mono?: boolean
  readonly?: boolean
  /** Word at the right end; the field then takes a number. */
  unit?: string
  wide?: boolean
  maxlength?: number
  errors?: FieldErrors
  /** Further attributes of the input. */
  more?: Record<string, string | undefined>
  /** Below the hint. */
  children?: Children
}

/** A labelled line of text. Passwords get a button that shows them. */
export function TextField(props: TextFieldProps) {
  const { name, label, hint, optional, wide, errors = {}, children } = props
  return (
    <div class={['field', wide && 'wide']}>
      <label for={name}>
        <span safe>{label}</span>
        {optional ? <span class="optional">Optional</span> : ''}
      </label>
      {props.type === 'password' || props.unit ? <Grouped {...props} /> : <Input {...props} />}
      {hint ? (
        <span class="hint" id={`${name}-hint`} safe>
          {hint}
        </span>
      ) : (
        ''
      )}
      {children as 'safe'}
      <FieldError name={name} errors={errors} />
    </div>
  )
}

function Grouped(props: TextFieldProps) {
  return (
    <div class="input-group">
      <Input {...props} />
      {props.unit ? (
        <span class="unit" safe>
          {props.unit}
        </span>
      ) : (
        <button class="button icon-only quiet tiny" type="button" aria-label="Show what is typed" title="Show what is typed" aria-pressed="false" data-reveal>
          <Icon name="eye" />
        </button>
      )}
    </div>
  )
}

function Input({ name, value = '', type = 'text', autocomplete, hint, placeholder, required, autofocus, mono, readonly, unit, maxlength, errors = {}, more = {} }: TextFieldProps) {
  const described = [hint && `${name}-hint`, errors[name] && `${name}-error`].filter(Boolean).join(' ') || undefined
  return (
    <input
      class={['input', mono && 'mono', unit && 'num']}
      id={name}
      name={name}
      type={type}
      value={quoted(value)}
      autocomplete={autocomplete}
      placeholder={placeholder}
      required={required}
      autofocus={autofocus}
      readonly={readonly}
      maxlength={maxlength}
      inputmode={unit ? 'decimal' : undefined}
      spellcheck={mono ? 'false' : undefined}
      aria-invalid={errors[name] ? 'true' : undefined}
      aria-describedby={described}
      {...more}
    />
  )
}

interface SwitchProps {
  title: string
  hint: string
  name?: string
  checked: boolean
  more?: Record<string, string | undefined>
}

/** An on-off setting with a sentence about it. */
export function Switch({ title, hint, name, checked, more = {} }: SwitchProps) {
  return (
    <label class="toggle">
      <span>
        <b safe>{title}</b>
        <span class="hint" safe>
          {hint}
        </span>
      </span>
      {/* biome-ignore lint/a11y/useAriaPropsForRole: a checkbox tells its state by itself */}
      <input class="switch" type="checkbox" role="switch" name={name} value="1" checked={checked} {...more} />
    </label>
  )
}
