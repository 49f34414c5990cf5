// One's own account: who one is, how the portal looks, password, and sign-ins.
import { Callout } from '../components/callout.tsx'
import { Switch, TextField } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { ago } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import { Shell } from '../layout.tsx'
import type { AgentList, FieldErrors, LoginView, PageFrame, Theme, Viewer } from '../model.ts'
import { initials, THEME_WORDS } from '../navigation.tsx'
import { NewPassword } from './entry.tsx'

export { LoginPage, RegisterPage } from './entry.tsx'

interface AccountProps {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  logins: LoginView[]
  errors: FieldErrors
  /** What has just been done, as a sentence. */
  done?: string
}

/** The account page. */
export function AccountPage({ frame, viewer, list, logins, errors, done }: AccountProps) {
  return (
    <Shell frame={frame} title="Account" viewer={viewer} list={list} section="account">
      <section class="panel" aria-label="Account">
        <div class="page">
          <div class="page-inner narrow">
            <header class="page-head">
              <div>
                <h1 tabindex="-1">Account</h1>
              </div>
            </header>
            {done ? <Callout tone="ok" title={done} /> : ''}
            <Profile viewer={viewer} />
            <Preferences viewer={viewer} />
            <Password errors={errors} />
            <Logins logins={logins} />
          </div>
        </div>
      </section>
    </Shell>
  )
}

function Profile({ viewer }: { viewer: Viewer }) {
  return (
    <section class="section" aria-labelledby="profile-h">
      <header>
        <h2 id="profile-h">Profile</h2>
        <p>An admin can change these.</p>
      </header>
      <div class="profile">
        <span class="avatar large" safe>
          {initials(viewer.displayName)}
        </span>
        <dl class="facts">
          <dt>Name</dt>
          <dd class="anywhere" safe>
            {viewer.displayName}
          </dd>
          <dt>Username</dt>
          <dd class="anywhere" safe>
            {viewer.username}
          </dd>
          <dt>Email</dt>
          <dd class="anywhere" safe>
            {viewer.email}
          </dd>
          <dt>Role</dt>
          <dd>{viewer.role === 'admin' ? 'Admin' : 'User'}</dd>
        </dl>
      </div>
    </section>
  )
}

const THEMES: [theme: Theme, icon: string][] = [
  ['system', 'sliders-horizontal'],
  ['light', 'sun'],
  ['dark', 'moon'],
]

// A whole page load: the theme belongs to the document, which htmx does not change.
function Preferences({ viewer }: { viewer: Viewer }) {
  return (
    <section class="section" aria-labelledby="appearance-h">
      <header>
        <h2 id="appearance-h">Appearance</h2>
        <p>A running terminal keeps the colours that it was started with.</p>
      </header>
      <form class="stack" method="post" action="/account/preferences" hx-boost="false">
        <fieldset>
          <legend>Theme</legend>
          <div class="segments">
            {THEMES.map(([theme, icon]) => (
              <label>
                <input type="radio" name="theme" value={theme} checked={viewer.theme === theme} />
                <Icon name={icon} small />
                <span safe>{THEME_WORDS[theme]}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <Switch
          title="Screen-reader mode in the terminal"
          hint="Keeps a readable text of the screen and announces what is new."
          name="screen_reader"
          checked={viewer.screenReader}
        />
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
    <section class="section" aria-labelledby="password-h">
      <header>
        <h2 id="password-h">Password</h2>
        <p>Changing it ends your other sign-ins.</p>
      </header>
      <form class="stack" method="post" action="/account/password">
        <TextField name="current_password" label="Current password" type="password" autocomplete="current-password" required errors={errors} />
        <NewPassword name="new_password" label="New password" errors={errors} />
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
    <section class="section" aria-labelledby="logins-h">
      <header>
        <h2 id="logins-h">Where you are signed in</h2>
        <p>A sign-in lasts a day. End those that you do not know, then change your password.</p>
      </header>
      <ul class="list card">
        {logins.map((login) => (
          <LoginRow login={login} />
        ))}
      </ul>
      {logins.some((login) => !login.current) ? (
        <form
          method="post"
          action="/account/logins/end-others"
          data-confirm="End all other sign-ins?"
          data-consequence="Every other browser and program must sign in again. This browser stays."
          data-verb="End all others"
        >
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

function LoginRow({ login }: { login: LoginView }) {
  const name = browserName(login.userAgent)
  return (
    <li class="list-row login">
      <span class="tile">
        <Icon name="globe" />
      </span>
      <span class="grow">
        <b class="medium" safe>
          {name}
        </b>
        <span class="hint" safe>
          {`${login.address} · ${login.current ? 'now' : ago(login.lastSeenAt)}`}
        </span>
      </span>
      {login.current ? (
        <span class="badge" data-tone="ok">
          This browser
        </span>
      ) : (
        <form method="post" action={`/account/logins/${encodeURIComponent(login.id)}/end`}>
          <button class="button small" type="submit" aria-label={quoted(`End ${name}, ${login.address}`)}>
            End
          </button>
        </form>
      )}
    </li>
  )
}

const BROWSERS: [pattern: RegExp, word: string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/Chrome\//, 'Chrome'],
  [/Safari\//, 'Safari'],
  [/curl\//, 'curl'],
  [/Bun\//, 'Bun'],
  [/node/, 'Node.js'],
]
const SYSTEMS: [pattern: RegExp, word: string][] = [
  [/Windows/, 'Windows'],
  [/iPhone|iPad/, 'iOS'],
  [/Macintosh/, 'macOS'],
  [/Android/, 'Android'],
  [/Linux/, 'Linux'],
]

/** "Firefox on Linux"; a program that does not tell is an unknown one. */
export function browserName(userAgent: string): string {
  const find = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(userAgent))?.[1]
  const system = find(SYSTEMS)
  return `${find(BROWSERS) ?? 'Unknown program'}${system ? ` on ${system}` : ''}`
}
