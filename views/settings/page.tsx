// The settings of the portal: each with its meaning, its value and where that comes from.
import { AdminShell } from '../admin/shell.tsx'
import { Callout } from '../components/callout.tsx'
import { FieldError } from '../components/fields.tsx'
import { Icon } from '../components/icon.tsx'
import { count } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import type { PageFrame, Viewer } from '../model.ts'
import type { SettingsFormModel, SettingView } from './model.ts'

interface SettingsProps {
  frame: PageFrame
  viewer: Viewer
  form: SettingsFormModel
}

/** The page. `static/islands/settings.ts` resets fields and finds settings. */
export function SettingsPage({ frame, viewer, form }: SettingsProps) {
  const { groups } = form
  return (
    <AdminShell frame={frame} viewer={viewer} title="Settings" section="settings">
      <section class="panel" aria-label="Settings">
        <div class="page">
          <form class="page-inner settings stack loose" aria-label="Settings" method="post" action="/admin/settings" novalidate data-guard>
            <header class="page-head">
              <div>
                <h1 tabindex="-1">Settings</h1>
                <p>They hold for everyone, at once and without a restart. A user or an agent can override what is marked so.</p>
              </div>
              <div class="input-group search">
                <Icon name="search" />
                <input class="input" type="search" aria-label="Find a setting" placeholder="Find a setting" data-find-setting />
              </div>
            </header>
            {groups.length > 1 ? (
              <nav class="toc" aria-label="Sections">
                {groups.map(({ id, title }) => (
                  <a class="tab" href={`#${id}`} safe>
                    {title}
                  </a>
                ))}
              </nav>
            ) : (
              ''
            )}
            <Outcome form={form} />
            {groups.map(({ id, title, settings }) => (
              <section id={id} class="stack">
                <h2 safe>{title}</h2>
                <div class="card">
                  {settings.map((setting) => (
                    <Setting setting={setting} />
                  ))}
                </div>
              </section>
            ))}
            <SaveBar form={form} />
          </form>
        </div>
      </section>
    </AdminShell>
  )
}

function Outcome({ form: { problem, saved, wrong } }: { form: SettingsFormModel }) {
  if (problem) return <Callout tone="bad" title="Nothing was saved" text={wrong > 0 ? `${count(wrong, 'setting')} to correct below.` : problem} id="settings-problem" />
  return saved ? <Callout tone="ok" title="Saved" text="What agents are given when they start holds from their next start on." /> : ''
}

function Setting({ setting }: { setting: SettingView }) {
  const { key, label, about, changed, note } = setting
  return (
    <div class={['setting', changed && 'changed']} data-setting={key}>
      <div class="about">
        <label for={key} safe>
          {label}
        </label>
        <p id={`${key}-about`} safe>
          {about}
        </p>
      </div>
      <div class="control">
        <Control setting={setting} />
        <FieldError name={key} errors={setting.error ? { [key]: setting.error } : {}} />
        {note && !setting.error ? (
          <span class="note" id={`${key}-note`}>
            <Icon name="triangle-alert" small />
            <span safe>{note}</span>
          </span>
        ) : (
          ''
        )}
        <Origin setting={setting} />
      </div>
    </div>
  )
}

function Control({ setting: { key, text, was, unit, placeholder, isList, isNumber, note, error } }: { setting: SettingView }) {
  const described = [`${key}-about`, error ? `${key}-error` : note && `${key}-note`].filter(Boolean).join(' ')
  const invalid = error ? 'true' : undefined
  const field = isList ? (
    <textarea
      class="textarea mono"
      id={key}
      name={key}
      rows={String(Math.max(3, text.split('\n').length))}
      spellcheck="false"
      aria-describedby={described}
      aria-invalid={invalid}
      safe
    >
      {text}
    </textarea>
  ) : (
    <input
      class={['input', isNumber ? 'num' : 'mono']}
      id={key}
      name={key}
      value={quoted(text)}
      placeholder={placeholder}
      maxlength={400}
      inputmode={isNumber ? 'decimal' : undefined}
      autocomplete="off"
      spellcheck="false"
      aria-describedby={described}
      aria-invalid={invalid}
    />
  )
  return (
    <>
      <input type="hidden" name={`was.${key}`} value={quoted(was)} />
      {unit ? (
        <div class="input-group">
          {field as 'safe'}
          <span class="unit" safe>
            {unit}
          </span>
        </div>
      ) : (
        (field as 'safe')
      )}
    </>
  )
}

function Origin({ setting: { key, changed, inherited, inheritedFrom, unit, overrides } }: { setting: SettingView }) {
  const value = inherited === '' ? 'none' : `${inherited.split('\n').join(', ')}${unit ? ` ${unit}` : ''}`
  const others = overrides > 0 ? `${count(overrides, 'user')} ${overrides === 1 ? 'overrides' : 'override'}` : ''
  return (
    <span class="origin">
      {changed ? (
        <span class="badge" data-tone="accent">
          Changed
        </span>
      ) : (
        ''
      )}
      <span class="truncate" title={quoted(value)} safe>
        {changed ? `was ${value}` : `${inheritedFrom === 'environment' ? 'Environment' : 'Built-in'}: ${value}`}
      </span>
      {changed ? (
        <button class="link-button end" type="button" data-reset-setting={key} data-inherited={quoted(inherited)}>
          Reset
        </button>
      ) : others ? (
        <span class="end nowrap" safe>
          {others}
        </span>
      ) : (
        ''
      )}
    </span>
  )
}

// Without scripts it is always there; with them only while something is unsaved, and not before that is counted.
function SaveBar({ form: { wrong } }: { form: SettingsFormModel }) {
  return (
    <div class="savebar" role="region" aria-label="Unsaved changes">
      <span class="dot" data-tone="accent" />
      <b data-changes />
      <span class="hint only-wide truncate" data-changed-names />
      {wrong > 0 ? (
        <span class="error end only-wide">
          <Icon name="circle-alert" small />
          <span safe>{`${wrong} to fix`}</span>
        </span>
      ) : (
        ''
      )}
      <a class={['button', 'quiet', 'small', wrong === 0 && 'end']} href="/admin/settings">
        Discard
      </a>
      <button class="button primary small" type="submit">
        Save
      </button>
    </div>
  )
}
