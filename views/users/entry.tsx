// Signing in and registering.
import { Callout } from '../components/callout.tsx'
import { TextField } from '../components/fields.tsx'
import { quoted } from '../components/text.ts'
import { Gate, GateHead } from '../layout.tsx'
import type { PageFrame, RegisterModel, RegistrationMode } from '../model.ts'

interface LoginProps {
  frame: PageFrame
  /** Path to go to afterwards. */
  next: string
  /** What was typed the last time. */
  login: string
  /** Why the last try was refused. */
  problem?: string
  mode: RegistrationMode
}

/** Sign-in page. */
export function LoginPage({ frame, next, login, problem, mode }: LoginProps) {
  const [title = '', ...rest] = (problem ?? '').split(/(?<=\.)\s+/)
  return (
    <Gate frame={frame} title="Sign in">
      <GateHead title={frame.organisation ? `Sign in to ${frame.organisation}` : 'Sign in to SAC'} text="Your agents go on working while you are away." />
      <form class="stack" method="post" action="/login" aria-describedby={problem ? 'login-error' : undefined}>
        {problem ? <Callout tone="bad" title={title} text={rest.join(' ')} id="login-error" /> : ''}
        <input type="hidden" name="next" value={quoted(next)} />
        <TextField name="login" label="Username or email" value={login} autocomplete="username" required autofocus={login === ''} more={{ autocapitalize: 'none' }} />
        <TextField name="password" label="Password" type="password" autocomplete="current-password" required autofocus={login !== ''} />
        <button class="button primary block" type="submit">
          Sign in
        </button>
      </form>
      <p class="hint">
        {mode === 'open' ? (
          <>
            New here? <a href="/register">Create an account</a>.{' '}
          </>
        ) : (
          ''
        )}
        {mode === 'invite' ? 'New here? Ask an admin for an invitation. ' : ''}
        Forgotten your password? An admin can set a new one.
      </p>
    </Gate>
  )
}

/** Registration by mode: a form, or how to get in. */
export function RegisterPage({ frame, model }: { frame: PageFrame; model: RegisterModel }) {
  const may = model.mode === 'open' || (model.mode === 'invite' && model.invitation !== undefined)
  const lead = model.invitation ? `You are invited${frame.organisation ? ` to ${frame.organisation}` : ''}. The link works once.` : 'It takes a minute.'
  return (
    <Gate frame={frame} title="Create account">
      <GateHead title="Create your account" text={may ? lead : undefined} />
      {may ? <RegisterForm model={model} /> : <NoRegistration mode={model.mode} />}
      <p class="hint">
        Already have an account? <a href="/login">Sign in</a>.
      </p>
    </Gate>
  )
}

function NoRegistration({ mode }: { mode: RegistrationMode }) {
  return mode === 'closed' ? (
    <Callout tone="warn" title="This portal does not take new accounts." text="If you need one, ask an admin." />
  ) : (
    <Callout tone="warn" title="This portal is invite-only." text="Ask an admin for an invitation, then open the link in it. A link works once and only for a while." />
  )
}

function RegisterForm({ model: { values, errors, problem, invitation, minPasswordLength } }: { model: RegisterModel }) {
  const fixedEmail = invitation?.email
  return (
    <form class="stack" method="post" action="/register">
      {problem ? <Callout tone="bad" title={problem} /> : ''}
      {invitation ? <input type="hidden" name="invitation" value={quoted(invitation.code)} /> : ''}
      <TextField
        name="email"
        label="Email"
        type="email"
        autofocus={fixedEmail === undefined && values.email === ''}
        value={fixedEmail ?? values.email}
        readonly={fixedEmail !== undefined}
        hint={fixedEmail === undefined ? undefined : 'Set by the invitation.'}
        autocomplete="email"
        required
        errors={errors}
      />
      <TextField
        name="username"
        label="Username"
        value={values.username}
        autocomplete="username"
        required
        autofocus={fixedEmail !== undefined && values.username === ''}
        errors={errors}
        more={{ autocapitalize: 'none' }}
      />
      <TextField name="display_name" label="Name" value={values.display_name} autocomplete="name" optional errors={errors} />
      <NewPassword name="password" label="Password" minLength={minPasswordLength} errors={errors} />
      <button class="button primary block" type="submit">
        Create account
      </button>
    </form>
  )
}

/** A field for a new password, with its strength as one types. `minLength` in bytes. */
export function NewPassword({ name, label, minLength, errors }: { name: string; label: string; minLength?: number; errors: Record<string, string> }) {
  const rule = minLength ? `At least ${minLength} characters; a sentence is easiest to remember.` : 'A sentence is easiest to remember.'
  return (
    <TextField
      name={name}
      label={label}
      type="password"
      autocomplete="new-password"
      required
      errors={errors}
      hint={errors[name] ? undefined : rule}
      more={{ 'data-strength': String(minLength ?? 12) }}
    >
      <progress class="progress" max={4} value={0} aria-label="Strength of the password" hidden />
    </TextField>
  )
}
