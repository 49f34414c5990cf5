// Signing in, registering, and one's own account.
import { ago, Callout, Icon, TextField } from '../components/basics.tsx'
import { Gate, Shell } from '../layout.tsx'
import type { AgentList, FieldErrors, PageFrame, Viewer } from '../model.ts'

/** Sign-in page. `problem` is the refusal of the last try. */
export function LoginPage({ frame, next, login, problem, mode }: { frame: PageFrame; next: string; login: string; problem?: string; mode: 'open' | 'invite' | 'closed' }) {
  const [title, ...rest] = (problem ?? '').split(/(?<=\.) /)
  return (
    <Gate frame={frame} title="Sign in">
      <GateHead title={frame.organisation ? `Sign in to ${frame.organisation}` : 'Sign in to SAC'} text="Your agents go on working while you are away." />
      <form class="stack" method="post" action="/login" aria-describedby={problem ? 'login-error' : undefined}>
        {problem ? <Callout tone="bad" title={title ?? problem} text={rest.join(' ')} id="login-error" /> : ''}
        <input type="hidden" name="next" value={next} />
        <TextField name="login" label="Username or email" value={login} autocomplete="username" required autofocus={login === ''} />
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
        Forgotten your password? An admin can set a new one.
      </p>
    </Gate>
  )
}

export interface RegisterModel {
  mode: 'open' | 'invite' | 'closed'
  invitation?: { code: string; email?: string }
  values: { username: string; email: string; display_name: string }
  errors: FieldErrors
  problem?: string
  minPasswordLength: number
}

/** Registration by mode: a form, or how to get in. */
export function RegisterPage({ frame, model }: { frame: PageFrame; model: RegisterModel }) {
  const open = model.mode === 'open' || (model.mode === 'invite' && model.invitation)
  return (
    <Gate frame={frame} title="Create account">
      <GateHead title="Create your account" text={open ? (model.invitation ? 'You are invited. The link works once.' : 'It takes a minute.') : ''} />
      {open ? (
        <RegisterForm model={model} />
      ) : (
        <Callout
          tone="warn"
          title={model.mode === 'closed' ? 'This portal does not take new accounts.' : 'This portal is invite-only.'}
          text="Ask an admin for an invitation link."
        />
      )}
      <p class="hint">
        Already have an account? <a href="/login">Sign in</a>.
      </p>
    </Gate>
  )
}

function RegisterForm({ model }: { model: RegisterModel }) {
  return (
    <form class="stack" method="post" action="/register">
      {model.problem ? <Callout tone="bad" title={model.problem} /> : ''}
      {model.invitation ? <input type="hidden" name="invitation" value={model.invitation.code} /> : ''}
      <TextField
        name="email"
        label="Email"
        type="email"
        value={model.invitation?.email ?? model.values.email}
        readonly={model.invitation?.email !== undefined}
        hint={model.invitation?.email ? 'Set by the invitation.' : undefined}
        autocomplete="email"
        required
        errors={model.errors}
      />
      <TextField name="username" label="Username" value={model.values.username} autocomplete="username" required errors={model.errors} />
      <TextField name="display_name" label="Name" value={model.values.display_name} autocomplete="name" errors={model.errors} />
      <TextField
        name="password"
        label="Password"
        type="password"
        autocomplete="new-password"
        hint={`At least ${model.minPasswordLength} characters; a sentence is easiest to remember.`}
        required
        errors={model.errors}
      />
      <button class="button primary block" type="submit">
        Create account
      </button>
    </form>
  )
}

function GateHead({ title, text }: { title: string; text: string }) {
  return (
    <div class="gate-head">
      <Icon name="logo" />
      <div class="stack tight">
        <h1 safe>{title}</h1>
        {text ? <p safe>{text}</p> : ''}
      </div>
    </div>
  )
}

export interface LoginView {
  id: string
  current: boolean
  userAgent: string
  address: string
  lastSeenAt: Date
}

/** One's own account: password, appearance, sign-ins. */
export function AccountPage({
  frame,
  viewer,
  list,
  logins,
  errors,
  done,
}: {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  logins: LoginView[]
  errors: FieldErrors
  done?: string
}) {
  return (
    <Shell frame={frame} title="Account" viewer={viewer} list={list} section="account">
      <section class="panel" aria-label="Account">
        <div class="page">
          <div class="page-inner narrow">
            <header class="page-head">
              <div>
                <h1>Account</h1>
                <p safe>{`${viewer.username} · ${viewer.email}`}</p>
              </div>
            </header>
            {done ? <Callout tone="ok" title={done} /> : ''}
            <Preferences viewer={viewer} />
            <Password errors={errors} />
            <Logins logins={logins} />
          </div>
        </div>
      </section>
    </Shell>
  )
}

function Preferences({ viewer }: { viewer: Viewer }) {
  return (
    <section class="section">
      <header>
        <h2>Appearance</h2>
      </header>
      <form class="stack" method="post" action="/account/preferences">
        <fieldset>
          <legend>Theme</legend>
          <div class="segments">
            {(['system', 'light', 'dark'] as const).map((theme) => (
              <label>
                <input type="radio" name="theme" value={theme} checked={viewer.theme === theme} />
                {{ system: 'System', light: 'Light', dark: 'Dark' }[theme] as 'safe'}
              </label>
            ))}
          </div>
        </fieldset>
        <label class="check">
          <input type="checkbox" name="screen_reader" value="1" checked={viewer.screenReader} />
          Screen-reader mode in the terminal
        </label>
        <div>
          <button class="button" type="submit">
            Save appearance
          </button>
        </div>
      </form>
    </section>
  )
}

function Password({ errors }: { errors: FieldErrors }) {
  return (
    <section class="section">
      <header>
        <h2>Password</h2>
        <p>Changing it ends your other sign-ins.</p>
      </header>
      <form class="stack" method="post" action="/account/password">
        <TextField name="current_password" label="Present password" type="password" autocomplete="current-password" required errors={errors} />
        <TextField name="new_password" label="New password" type="password" autocomplete="new-password" required errors={errors} />
        <div>
          <button class="button" type="submit">
            Change password
          </button>
        </div>
      </form>
    </section>
  )
}

function Logins({ logins }: { logins: LoginView[] }) {
  return (
    <section class="section">
      <header>
        <h2>Where you are signed in</h2>
      </header>
      <ul class="list card">
        {logins.map((login) => (
          <li class="list-row">
            <span class="grow truncate">
              <span safe>{browserName(login.userAgent)}</span>{' '}
              <small class="muted" safe>
                {`${login.address} · ${login.current ? 'this browser' : ago(login.lastSeenAt)}`}
              </small>
            </span>
            {login.current ? (
              ''
            ) : (
              <form method="post" action={`/account/logins/${login.id}/end`}>
                <button class="button small" type="submit">
                  End
                </button>
              </form>
            )}
          </li>
        ))}
      </ul>
      {logins.length > 1 ? (
        <form method="post" action="/account/logins/end-others" data-confirm="End every sign-in but this one?" data-verb="End others">
          <button class="button" type="submit">
            End all others
          </button>
        </form>
      ) : (
        ''
      )}
    </section>
  )
}

function browserName(userAgent: string): string {
  const browser = /(Edg|Firefox|Chrome|Safari|curl|Bun|node)\/?/.exec(userAgent)?.[1] ?? 'Unknown program'
  const system = /(Windows|Macintosh|Android|iPhone|Linux)/.exec(userAgent)?.[1]
  return system ? `${browser === 'Edg' ? 'Edge' : browser} on ${system === 'Macintosh' ? 'macOS' : system}` : browser
}
